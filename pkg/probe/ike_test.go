package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// ikeResponder calls f for each datagram with the number of those before it,
// and sends what f returns.
func ikeResponder(t *testing.T, address string, f func(request []byte, before int) [][]byte) uint16 {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 64<<10)
		for before := 0; ; before++ {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, reply := range f(bytes.Clone(buffer[:n]), before) {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return portOf(conn)
}

func ikeDialer(address string) *dialer {
	return &dialer{addr: netip.MustParseAddr(address), guarded: func(f func()) { f() }}
}

func ends(t *testing.T, after time.Duration) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), after)
	t.Cleanup(stop)
	return ctx
}

func threeOf(r reply, err error) (answer string, took time.Duration, _ error) {
	return r.answer, r.took, err
}

func within5s(t *testing.T) context.Context { return ends(t, 5*time.Second) }

func portOf(conn net.PacketConn) uint16 { return uint16(conn.LocalAddr().(*net.UDPAddr).Port) }

// closedPort is one where nobody listens.
func closedPort(t *testing.T, address string) uint16 {
	conn, err := net.ListenPacket("udp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return portOf(conn)
}

func TestIKEAnswers(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		for _, test := range ikeAnswers {
			t.Run(address+" "+test.want, func(t *testing.T) {
				t.Parallel()
				port := ikeResponder(t, net.JoinHostPort(address, "0"), func(request []byte, _ int) [][]byte {
					return [][]byte{test.reply([8]byte(request))}
				})
				answer, took, err := threeOf(ikeDialer(address).tryIKE(within5s(t), port))
				if answer != test.want || err != nil || took <= 0 || took > 5*time.Second {
					t.Errorf("got %q, %v, %v, want %q", answer, took, err, test.want)
				}
			})
		}
	}
}

// What is no answer neither counts nor ends the waiting for one.
func TestIKEIgnores(t *testing.T) {
	port := ikeResponder(t, "127.0.0.1:0", func(request []byte, _ int) [][]byte {
		return slices.Concat(ikeRubbish(request), [][]byte{noProposal([8]byte(request))})
	})
	answer, _, err := threeOf(ikeDialer("127.0.0.1").tryIKE(within5s(t), port))
	if answer != "NO_PROPOSAL_CHOSEN" || err != nil {
		t.Errorf("after rubbish: got %q, %v", answer, err)
	}
	for i, rubbish := range ikeRubbish(make([]byte, 1000)) {
		if answer, ok := parseIKEAnswer(rubbish, [8]byte{}, false); ok {
			t.Errorf("rubbish %d is taken for %q where the SPI is none", i, answer)
		}
	}
	only := ikeResponder(t, "127.0.0.1:0", func(request []byte, _ int) [][]byte { return ikeRubbish(request) })
	ctx := ends(t, 100*ms)
	if answer, _, err := threeOf(ikeDialer("127.0.0.1").tryIKE(ctx, only)); answer != "" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("rubbish alone: got %q, %v", answer, err)
	}
}

func TestIKEOtherSender(t *testing.T) {
	other, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		buffer := make([]byte, 2048)
		if _, from, err := conn.ReadFrom(buffer); err == nil {
			other.WriteTo(noProposal([8]byte(buffer)), from)
		}
	}()
	ctx := ends(t, 150*ms)
	if answer, _, err := threeOf(ikeDialer("127.0.0.1").tryIKE(ctx, portOf(conn))); answer != "" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an answer from another port: got %q, %v", answer, err)
	}
}

// The answer to a retransmission: the same bits again, and all of the time.
func TestIKERetransmits(t *testing.T) {
	var first []byte
	same := make(chan bool, 1)
	port := ikeResponder(t, "127.0.0.1:0", func(request []byte, before int) [][]byte {
		if before == 0 {
			first = request
		}
		if before < 2 {
			return nil
		}
		same <- bytes.Equal(first, request)
		return [][]byte{noProposal([8]byte(request))}
	})
	answer, took, err := threeOf(ikeDialer("127.0.0.1").tryIKE(within5s(t), port))
	if answer != "NO_PROPOSAL_CHOSEN" || err != nil || took < 3*ikeFirstWait {
		t.Errorf("got %q, %v, %v", answer, took, err)
	}
	if !<-same {
		t.Error("a retransmission differs")
	}
}

func TestIKESilent(t *testing.T) {
	sent := make(chan int, 100)
	port := ikeResponder(t, "127.0.0.1:0", func(_ []byte, before int) [][]byte { sent <- before; return nil })
	ctx, stop := context.WithTimeout(t.Context(), 800*ms) // the next transmission would be at 1.75 s
	defer stop()
	d := ikeDialer("127.0.0.1")
	began := time.Now()
	answer, took, err := threeOf(d.tryIKE(ctx, port))
	if over := time.Since(began); over > 1700*ms {
		t.Errorf("went on until %v", over)
	}
	if answer != "" || took != 0 || !errors.Is(err, context.DeadlineExceeded) || refused(err) || d.connected.Load() {
		t.Errorf("got %q, %v, %v", answer, took, err)
	}
	if n := len(sent); n < 1 || n > 3 {
		t.Errorf("sent %d times in 800 ms, want at 0, 250 and 750 ms", n)
	}
	ctx, stop = context.WithCancel(t.Context())
	time.AfterFunc(20*ms, stop)
	if _, _, err := threeOf(d.tryIKE(ctx, port)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if _, _, err := threeOf(d.tryIKE(ctx, port)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v", err)
	}
}

func TestIKERefused(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		d := ikeDialer(address)
		if answer, _, err := threeOf(d.tryIKE(within5s(t), closedPort(t, address))); answer != "" || !refused(err) || d.connected.Load() {
			t.Errorf("got %q, %v", answer, err)
		}
	}
}

// Neither stops a flood the answer, nor the end of ctx.
func TestIKEFlood(t *testing.T) {
	for _, answering := range []bool{true, false} {
		port := ikeResponder(t, "127.0.0.1:0", func(request []byte, before int) [][]byte {
			flood := slices.Repeat(ikeRubbish(request), 200)
			if answering && before == 1 {
				flood = append(flood[:50], noProposal([8]byte(request)))
			}
			return flood
		})
		ctx := ends(t, 600*ms)
		began := time.Now()
		answer, _, err := threeOf(ikeDialer("127.0.0.1").tryIKE(ctx, port))
		if (answer != "") != answering || (err == nil) != answering || time.Since(began) > 4*time.Second {
			t.Errorf("answering %v: got %q, %v after %v", answering, answer, err, time.Since(began))
		}
	}
}

func TestIKEMarker(t *testing.T) {
	reply := func(request []byte, _ int) [][]byte {
		message, ok := bytes.CutPrefix(request, []byte{0, 0, 0, 0})
		if !ok || int(binary.BigEndian.Uint32(message[24:])) != len(message) {
			return nil
		}
		answer := noProposal([8]byte(message))
		// First as ESP would be, then with the marker.
		return [][]byte{answer, append([]byte{0, 0, 0, 1}, answer...), append([]byte{0, 0, 0, 0}, cookie([8]byte(message))...)}
	}
	ikeResponder(t, "127.45.0.1:4500", reply)
	if answer, _, err := threeOf(ikeDialer("127.45.0.1").tryIKE(within5s(t), ikeNATPort)); answer != "COOKIE" || err != nil {
		t.Errorf("port 4500: got %q, %v", answer, err)
	}
}

// The request leaves by the path that it was given.
func TestIKEPath(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVTOS, 1) })
	if err != nil {
		t.Fatal(err)
	}
	d := &dialer{addr: netip.MustParseAddr("127.0.0.1"), path: Path{Source: netip.MustParseAddr("127.0.0.9"), Interface: "lo", DSCP: 46}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.tryIKE(within5s(t), portOf(conn))
	}()
	request, control := make([]byte, 2048), make([]byte, 128)
	conn.SetReadDeadline(time.Now().Add(4 * time.Second))
	_, n, _, from, err := conn.ReadMsgUDPAddrPort(request, control)
	if err != nil {
		t.Fatal(err)
	}
	conn.WriteToUDPAddrPort(noProposal([8]byte(request)), from)
	<-done
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 || messages[0].Data[0] != 46<<2 {
		t.Errorf("type of service: %v, %v", messages, err)
	}
	if from.Addr() != d.path.Source {
		t.Errorf("from %v", from)
	}
	d.path = Path{Interface: "not-there"}
	if _, _, err := threeOf(d.tryIKE(within5s(t), 9)); err == nil || faultOf(err).Code != vpn.NoInterface {
		t.Errorf("no such interface: %v", err)
	}
}
