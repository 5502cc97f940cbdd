package lab

import (
	"errors"
	"fmt"
)

// Idle lets a WireGuard tunnel fall asleep: the near end forgets its keys and
// sends nothing of its own, as it does after some minutes without traffic. The
// first packet that is sent into it wakes it up.
func (t *Tunnel) Idle() error {
	e, ok := t.near.(*wireGuardEnd)
	if !ok {
		return fmt.Errorf("only WireGuard falls asleep: %w", errors.ErrUnsupported)
	}
	return e.idle()
}

func (e *wireGuardEnd) idle() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.device == nil {
		return errDown
	}
	key := e.peer.key.PublicKey().Bytes()
	if err := e.device.IpcSet(fmt.Sprintf("public_key=%x\nupdate_only=true\npersistent_keepalive_interval=0\n", key)); err != nil {
		return err
	}
	e.device.LookupPeer([32]byte(key)).ExpireCurrentKeypairs()
	return nil
}

// WrongSecret restarts the near end of an IPsec tunnel with a pre-shared key
// that the far end does not have. Up, after Down, brings the right one back.
func (t *Tunnel) WrongSecret() error {
	e, ok := t.near.(*ipsecEnd)
	if !ok {
		return fmt.Errorf("only IPsec has a pre-shared key: %w", errors.ErrUnsupported)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	right := e.secret
	defer func() { e.secret = right }()
	e.stop()
	e.secret = "not the right one"
	if err := e.run(); err != nil {
		return err
	}
	if e.initiate() == nil {
		return errors.New("the far end takes a wrong key")
	}
	return nil
}
