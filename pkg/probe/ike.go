package probe

// How an IKE peer is asked whether it is alive.
//
// The question is an IKE_SA_INIT request (RFC 7296 section 1.2), the one
// message that a responder takes from a stranger. Any answer to it will do, so
// it is made to be answered without leaving anything behind on the peer. A
// half-open IKE SA would stay there until it times out, we could not delete it
// without authentication, and peers that see several from one address begin to
// ignore that address: behind NAT it is also that of our own gateway.
//
// Two requests have an answer that ends the exchange: a proposal that nobody
// accepts (NO_PROPOSAL_CHOSEN), and a public value of a group that the peer
// does not choose (INVALID_KE_PAYLOAD). Peers may drop the first in silence
// (section 2.21.1). They must answer the second (section 3.4), because that is
// how an initiator that guessed the wrong group finds the right one (section
// 1.2). So the request proposes what peers commonly take, with the usual
// groups, and sends a public value of the group that nobody should have
// enabled: group 1, MODP 768, known to all by its number and forbidden since
// RFC 8247 section 2.4. A peer whose algorithms are all missing from the
// proposal answers NO_PROPOSAL_CHOSEN, or nothing. A busy peer answers COOKIE
// (section 2.6), and there we stop: it keeps no state either. A peer that does
// take group 1 accepts, and has a half-open SA until its timeout: that cannot
// be avoided, and it counts.
//
// No answer is authenticated. What protects the probe is a connected socket,
// by which the kernel drops what is not from the peer's address and port, and
// 64 random bits of SPI that only who saw the request can know.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"checkvpn/pkg/vpn"
)

const (
	ikePort    = 500  // plain IKE
	ikeNATPort = 4500 // IKE and ESP in UDP, told apart by a marker (RFC 7296 section 2.23)

	// ikeFirstWait is the time to the first retransmission; each further wait
	// is twice the one before (RFC 7296 section 2.4 leaves the times open).
	ikeFirstWait = 250 * time.Millisecond
)

// tryIKE asks the peer for an IKE_SA_INIT response until it answers or ctx
// ends, and says what it answered and how long that took. Port 500 asks there
// first, and while that is silent, 4500 too. Port 4500 alone asks there, with
// the non-ESP marker before each message; any other port is asked in plain IKE.
//
// A retransmission has to be the same bit for bit (RFC 7296 section 2.1), so it
// cannot be told which of several transmissions was answered (Karn's problem).
// took is the time since the first one that was sent to the port that answered,
// as a connection's time includes the kernel's own repetitions. It is the
// round-trip time if nothing was repeated, and never less than it.
//
// The error is ctx's if there was silence. A refusal by the peer itself and the
// kernel's other errors end the question and are returned as they are. So does,
// with errSaid, what somebody else on the way says, unless it may pass; d.said has
// it. d.connected stays as it was, because a UDP socket is connected without
// asking anyone.
func (d *dialer) tryIKE(ctx context.Context, port uint16) (reply, error) {
	if port == ikePort {
		return d.askIKEPorts(ctx, ikePort, ikeNATPort)
	}
	return d.askIKE(ctx, port, port == ikeNATPort)
}

// askIKEPorts asks a plain port, and from its first retransmission on also one
// with the marker. They are two exchanges, each with an SPI of its own. A
// refusal by the second port is no reason to give up on the first at once: that
// has until its next retransmission to do better.
func (d *dialer) askIKEPorts(ctx context.Context, plain, marked uint16) (reply, error) {
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	type outcome struct {
		reply
		err error
	}
	ask := func(port uint16, marked bool) <-chan outcome {
		done := make(chan outcome, 1)
		asking.Go(func() {
			o := outcome{err: errDialerFailed}
			d.guarded(func() { o.reply, o.err = d.askIKE(ctx, port, marked) })
			done <- o
		})
		return done
	}
	first, second := ask(plain, false), (<-chan outcome)(nil)
	next := time.NewTimer(ikeFirstWait)
	defer next.Stop()
	var refusal error
	for {
		select {
		case o := <-first:
			if refusal != nil && o.err != nil && ctx.Err() != nil { // silent to the end
				return reply{}, refusal
			}
			return o.reply, o.err
		case o := <-second:
			if o.err == nil {
				return o.reply, nil
			}
			if refused(o.err) {
				refusal = o.err
				next.Reset(2 * ikeFirstWait)
			}
		case <-next.C:
			if refusal != nil {
				return reply{}, refusal
			}
			second = ask(marked, true)
		}
	}
}

// ikeExchange is the question to one port.
type ikeExchange struct {
	*dialer
	conn   *net.UDPConn
	spi    [8]byte
	packet []byte
	marked bool
}

// askIKE asks one port. The end of ctx closes the socket, so that neither
// silence nor a flood of other datagrams can hold it longer.
func (d *dialer) askIKE(ctx context.Context, port uint16, marked bool) (reply, error) {
	nd := net.Dialer{Control: d.control}
	conn, err := nd.DialContext(ctx, "udp", netip.AddrPortFrom(d.addr, port).String()) // which sends nothing yet
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	x := ikeExchange{dialer: d, conn: conn.(*net.UDPConn), marked: marked}
	x.spi, x.packet = newIKERequest(marked)
	began := time.Now()
	due := began
	for wait := ikeFirstWait; ; wait *= 2 {
		due = due.Add(wait)
		answer, err := x.transmit(due)
		switch {
		case err == nil:
			return reply{answer, time.Since(began)}, nil
		case ctx.Err() != nil:
			return reply{}, ctx.Err()
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return reply{}, err
		}
	}
}

// transmit sends the packet and reads until there is an answer to it, or until a
// time. The buffer has one byte more than the longest datagram that can be an
// answer, so that a longer one shows.
func (x *ikeExchange) transmit(until time.Time) (string, error) {
	_, err := x.conn.Write(x.packet)
	if err = x.weigh(err); err != nil {
		return "", err
	}
	if err := x.conn.SetReadDeadline(until); err != nil {
		return "", err
	}
	var buffer [len(nonESPMarker) + ikeLongest + 1]byte
	for {
		n, err := x.conn.Read(buffer[:])
		if err = x.weigh(err); err != nil {
			return "", err
		}
		if answer, ok := parseIKEAnswer(buffer[:n], x.spi, x.marked); ok {
			return answer, nil
		}
	}
}

// errSaid is that somebody else than the target says that it cannot be reached.
var errSaid = errors.New("an ICMP error has come")

// weigh says what an error of the socket comes to: nil if it may pass, as the
// kernel too sees it of a socket without a queue; errSaid if somebody else than
// the target said it; else the error.
func (x *ikeExchange) weigh(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	raw, closed := x.conn.SyscallConn()
	if closed != nil {
		return err
	}
	var said *vpn.ICMPMessage
	_ = raw.Control(func(fd uintptr) { said = lastICMPError(int(fd), x.addr) })
	if said == nil {
		return err
	}
	x.said.Store(said)
	switch {
	case said.From == x.addr.WithZone(""):
		return err
	case x.mayPass(said):
		return nil
	}
	return errSaid
}

// mayPass tells what may be otherwise a moment later, while routes settle: no way
// to the network or the host, and a routing loop.
func (x *ikeExchange) mayPass(m *vpn.ICMPMessage) bool {
	if x.addr.Is4() {
		return m.Type == 3 && m.Code <= 1 || m.Type == 11
	}
	return m.Type == 1 && (m.Code == 0 || m.Code == 3) || m.Type == 3
}
