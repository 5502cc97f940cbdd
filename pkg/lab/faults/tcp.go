package main

import (
	"net"
	"net/netip"
	"time"
)

// Connections that are refused, cut or left hanging.

// onPort runs a server on loopback, by IPv4 and IPv6.
func onPort(port string, serve func(net.Conn)) func(*room) error {
	return func(r *room) error {
		if err := r.listen("127.0.0.1:"+port, serve); err != nil {
			return err
		}
		return r.listen("[::1]:"+port, serve)
	}
}

// hold keeps a connection and says nothing.
func hold(conn net.Conn) {
	buffer := make([]byte, 1<<16)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}

// reset ends a connection the hard way.
func reset(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

// flood sends for ever.
func flood(conn net.Conn) {
	junk := make([]byte, 1<<16)
	for i := range junk {
		junk[i] = byte(i * 7)
	}
	for {
		if _, err := conn.Write(junk); err != nil {
			return
		}
	}
}

// synAcks takes up each connection to behind the device, off by some number,
// and then says nothing.
func synAcks(off uint32) maker {
	return func(*room) peer {
		return func(w wire, p packet) {
			if p.isSYN() {
				w.send(p.synAck(off))
			}
		}
	}
}

// says makes a peer of an ICMP error about each packet. Who says it is a
// router, or the host itself.
func says(code4, code6 byte, router bool) maker {
	return func(*room) peer {
		return func(w wire, p packet) {
			from := p.to
			if router && p.to.Is4() {
				from = netip.MustParseAddr("10.2.5.5")
			} else if router {
				from = netip.MustParseAddr("fd00:2:5::5")
			}
			w.send(p.unreachable(from, code4, code6))
		}
	}
}

func tcpRows() []row {
	here, here6 := words("-H tcp://127.0.0.1:5432"), words("-H tcp://[::1]:5432")
	there, there6 := words("-H tcp://10.2.0.1:5432"), words("-H tcp://[fd00:2::1]:5432")
	router := "from 10.2.5.5"
	return []row{
		{name: "TCP refused", args: here, code: critical, cause: "refused", says: "connection refused"},
		{name: "TCP refused, IPv6", args: here6, code: critical, cause: "refused", says: "connection refused"},
		{name: "TCP accepted", rig: onPort("5432", hold), args: here, code: ok, cause: "up"},
		{name: "TCP accepted, IPv6", rig: onPort("5432", hold), args: here6, code: ok, cause: "up"},
		{name: "TCP accepted and reset", rig: onPort("5432", reset), args: here, code: ok, cause: "up"},
		{name: "TCP accepted, and then a flood", rig: onPort("5432", flood), args: here, code: ok, cause: "up"},
		{name: "TCP silent", peer: nobody, args: there, code: critical, cause: "down"},
		{name: "TCP silent, IPv6", peer: nobody, args: there6, code: critical, cause: "down"},
		{name: "TCP taken up and left half-open", peer: synAcks(0), args: there, code: ok, cause: "up"},
		{name: "TCP taken up with a wrong number", peer: synAcks(7), args: there, code: critical, cause: "down"},
		{name: "HTTP over a connection left half-open", peer: synAcks(0), args: words("-H http://10.2.0.1/"), code: critical, cause: "refused", says: "connected", seconds: 3},
		{name: "port unreachable, from the host itself, TCP", peer: says(3, 4, false), args: there, code: warning, cause: "filtered", says: "port unreachable, from the host itself"},
		{name: "port unreachable, from a router, TCP", peer: says(3, 4, true), args: there, code: critical, cause: "down", ends: reason(router)},
		{name: "port unreachable, from a router, TCP, IPv6", peer: says(3, 4, true), args: there6, code: critical, cause: "down", ends: reason("from fd00:2:5::5")},
		{name: "protocol unreachable, from a router, TCP", peer: says(2, 1, true), args: there, code: critical, cause: "down", ends: reason(router)},
		{name: "port unreachable, from a router, HTTP", peer: says(3, 4, true), args: words("-H http://10.2.0.1/"), code: critical, cause: "down", ends: reason(router)},
		{name: "port unreachable, from a router, IKE", peer: says(3, 4, true), args: words("-H ike://10.2.0.1"), code: critical, cause: "down", ends: reason(router)},
		{name: "port unreachable, from the host itself, IKE", peer: says(3, 4, false), args: words("-H ike://10.2.0.1"), code: warning, cause: "filtered", says: "port unreachable, from the host itself"},
		{name: "port unreachable, from a router, a peer by IKE", peer: says(3, 4, true), args: words("-H 10.2.9.9 --peer ike://10.2.0.1"), code: critical, cause: "peer-down"},
		{name: "port unreachable, from a router, a peer by TCP", peer: says(3, 4, true), args: words("-H 10.2.9.9 --peer tcp://10.2.0.1:22"), code: critical, cause: "peer-down"},
		{name: "administratively prohibited, by a router, TCP", peer: says(13, 1, true), args: there, code: critical, cause: "down", ends: reason(router)},
		{name: "a database that greets and hangs up", rig: onPort("5432", func(c net.Conn) {
			_, _ = c.Write([]byte(hostileText))
			time.Sleep(10 * time.Millisecond)
		}), args: here, code: ok, cause: "up"},
	}
}
