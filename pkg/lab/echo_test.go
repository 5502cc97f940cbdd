package lab_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"checkvpn/pkg/lab"

	"golang.org/x/sys/unix"
)

// quiet is how long to listen before something counts as silent.
const quiet = 300 * time.Millisecond

// answer is what came back for an echo request.
type answer struct {
	echo bool
	rtt  time.Duration

	// Else, the ICMP error, if any.
	kind, code byte
	info       uint32
}

func (a answer) silent() bool { return a == answer{} }

func (a answer) String() string {
	switch {
	case a.echo:
		return fmt.Sprintf("echo in %v", a.rtt)
	case a.silent():
		return "silence"
	}
	return fmt.Sprintf("ICMP error %d/%d (%d)", a.kind, a.code, a.info)
}

// echo sends one echo request, as an IP packet of size bytes that may not be
// fragmented, and waits for what comes back.
func echo(t *testing.T, n *lab.Node, to string, size int, wait time.Duration) (a answer) {
	t.Helper()
	err := n.Do(func() error {
		p, err := newPinger(netip.MustParseAddr(to), wait)
		if err != nil {
			return err
		}
		defer p.close()
		start := time.Now()
		if err := p.send(1, size); err != nil {
			return err
		}
		a = p.receive()
		if a.echo {
			a.rtt = time.Since(start)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("echo request to %s: %v", to, err)
	}
	return a
}

func mustAnswer(t *testing.T, n *lab.Node, to string) time.Duration {
	t.Helper()
	a := echo(t, n, to, 64, 5*time.Second)
	if !a.echo {
		t.Fatalf("%s: %v, want an echo", to, a)
	}
	return a.rtt
}

func mustBeSilent(t *testing.T, n *lab.Node, to string) {
	t.Helper()
	if a := echo(t, n, to, 64, quiet); !a.silent() {
		t.Fatalf("%s: %v, want silence", to, a)
	}
}

func mustBeICMP(t *testing.T, n *lab.Node, to string, size int, kind, code byte) answer {
	t.Helper()
	a := echo(t, n, to, size, 5*time.Second)
	if a.echo || a.kind != kind || a.code != code {
		t.Fatalf("%s, %d bytes: %v, want ICMP error %d/%d", to, size, a, kind, code)
	}
	return a
}

// pinger is an unprivileged ICMP socket with the error queue on. It blocks, so
// it needs no goroutine of the runtime's.
type pinger struct {
	fd int
	v6 bool
}

func newPinger(to netip.Addr, wait time.Duration) (*pinger, error) {
	p := &pinger{v6: to.Is6()}
	var err error
	var peer unix.Sockaddr
	if p.v6 {
		p.fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		peer = &unix.SockaddrInet6{Addr: to.As16()}
	} else {
		p.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		peer = &unix.SockaddrInet4{Addr: to.As4()}
	}
	if err != nil {
		return nil, err
	}
	level, errors, discover, probe := unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if p.v6 {
		level, errors, discover, probe = unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	timeout := unix.NsecToTimeval(wait.Nanoseconds())
	for _, err := range []error{
		unix.SetsockoptInt(p.fd, level, errors, 1),
		unix.SetsockoptInt(p.fd, level, discover, probe),
		unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.Connect(p.fd, peer),
	} {
		if err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *pinger) close() { unix.Close(p.fd) }

func (p *pinger) send(sequence uint16, size int) error {
	header, kind := 20, byte(8)
	if p.v6 {
		header, kind = 40, 128
	}
	b := make([]byte, size-header)
	b[0] = kind // the kernel fills in identifier and checksum
	binary.BigEndian.PutUint16(b[6:], sequence)
	_, err := unix.Write(p.fd, b)
	return err
}

func (p *pinger) receive() answer {
	b := make([]byte, 65536)
	for {
		_, err := unix.Read(p.fd, b)
		switch err {
		case nil:
			return answer{echo: true}
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return answer{}
		}
		return p.receiveError()
	}
}

// receiveError reads the extended error (struct sock_extended_err).
func (p *pinger) receiveError() answer {
	b, control := make([]byte, 65536), make([]byte, 512)
	_, n, _, _, err := unix.Recvmsg(p.fd, b, control, unix.MSG_ERRQUEUE)
	if err != nil {
		return answer{}
	}
	messages, _ := unix.ParseSocketControlMessage(control[:n])
	for _, m := range messages {
		if len(m.Data) >= int(unsafe.Sizeof(unix.SockExtendedErr{})) {
			e := (*unix.SockExtendedErr)(unsafe.Pointer(&m.Data[0]))
			return answer{kind: e.Type, code: e.Code, info: e.Info}
		}
	}
	return answer{}
}

// receiveSequence returns the number of the next request that is answered.
func (p *pinger) receiveSequence() (sequence uint16, ok bool) {
	b := make([]byte, 65536)
	n, err := unix.Read(p.fd, b)
	for err == unix.EINTR {
		n, err = unix.Read(p.fd, b)
	}
	if err != nil || n < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b[6:]), true
}

// answered returns how many answers have come, without waiting for more.
func (p *pinger) answered() (n int) {
	unix.SetNonblock(p.fd, true)
	defer unix.SetNonblock(p.fd, false)
	for {
		if _, ok := p.receiveSequence(); !ok {
			return n
		}
		n++
	}
}
