package lab

import (
	"errors"
	"fmt"
)

// What one kind of tunnel does and the others do not.

// Idle lets a WireGuard tunnel fall asleep: the near end forgets its keys and
// sends nothing of its own, as it does after some minutes without traffic. The
// first packet that is sent into it wakes it up.
func (t *Tunnel) Idle() error {
	e, ok := t.near.(*wireGuardEnd)
	if !ok {
		return fmt.Errorf("only WireGuard falls asleep: %w", errors.ErrUnsupported)
	}
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

// Rekey makes a new child SA in the old one's place of an IPsec tunnel while traffic
// goes on, and returns when both ends have it.
func (t *Tunnel) Rekey() error {
	e, ok := t.near.(*ipsecEnd)
	if !ok {
		return fmt.Errorf("only IPsec makes new keys when it is asked to: %w", errors.ErrUnsupported)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.charon == nil {
		return errDown
	}
	mark := e.charon.daemon.mark()
	if err := e.charon.swanctl("--rekey", "--child", "net"); err != nil {
		return err
	}
	return e.charon.daemon.await("CHILD_SA closed", mark, handshakeTime)
}
