package vpn

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Scheme names the question that is put to an endpoint.
type Scheme string

// The schemes. What counts as an answer stands with each.
const (
	ICMP  Scheme = "icmp"  // an echo reply
	TCP   Scheme = "tcp"   // a connection
	HTTP  Scheme = "http"  // a status 200-299
	HTTPS Scheme = "https" // a status 200-299 over verified TLS
	IKE   Scheme = "ike"   // any well-formed answer to an IKE_SA_INIT request (RFC 7296)
)

// Endpoint is one thing to ask: a scheme, a host and, where the scheme has
// them, a port and a path.
type Endpoint struct {
	Scheme Scheme
	Host   string     // a name or an address, without brackets
	Addr   netip.Addr // the address where Host is one, else invalid
	Port   uint16     // 0 for icmp
	Path   string     // path and query of http and https, else empty
}

// ParseEndpoint reads a URL, or a bare host, which is asked by icmp. Its
// errors say in lower case what is wrong and what to write instead.
func ParseEndpoint(s string) (Endpoint, error) {
	switch {
	case s == "":
		return Endpoint{}, errors.New("is empty: want a host or a URL")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return Endpoint{}, errors.New("has a blank or a control character in it")
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return parseBare(s)
	}
	switch e := (Endpoint{Scheme: Scheme(strings.ToLower(scheme))}); e.Scheme {
	case ICMP:
		if strings.Contains(rest, "://") {
			return Endpoint{}, errors.New("has two schemes")
		}
		return parseBare(rest)
	case TCP, IKE:
		return parsePort(e, rest)
	case HTTP, HTTPS:
		return parseHTTP(e, s)
	}
	return Endpoint{}, fmt.Errorf("has the unknown scheme %s: want icmp, tcp, http, https or ike", scheme)
}

// String is the endpoint as it would be written; it parses back to itself.
func (e Endpoint) String() string {
	host := e.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if e.Scheme == ICMP {
		return e.Host
	}
	if e.Scheme == TCP || e.Port != defaultPort(e.Scheme) {
		host += ":" + strconv.Itoa(int(e.Port))
	}
	return string(e.Scheme) + "://" + host + e.Path
}

func defaultPort(s Scheme) uint16 {
	switch s {
	case HTTP:
		return 80
	case HTTPS:
		return 443
	case IKE:
		return 500
	}
	return 0
}

// parseBare reads a host without a scheme. A colon may be part of an IPv6
// address, so the address is tried first.
func parseBare(s string) (Endpoint, error) {
	if e, err := setHost(Endpoint{Scheme: ICMP}, unbracket(s)); err == nil {
		return e, nil
	}
	if host, port, ok := splitPort(s); ok {
		return Endpoint{}, fmt.Errorf("has a port, which icmp does not take: for a connection write tcp://%s:%s", host, port)
	}
	if strings.Contains(s, "/") {
		return Endpoint{}, errors.New("has a path, which icmp does not take: for a web page write http:// or https:// before it")
	}
	return setHost(Endpoint{Scheme: ICMP}, unbracket(s))
}

// parsePort reads a host and a port, which tcp needs.
func parsePort(e Endpoint, rest string) (Endpoint, error) {
	if strings.ContainsAny(rest, "/?#") {
		return Endpoint{}, fmt.Errorf("has a path, which %s does not take", e.Scheme)
	}
	host, port, ok := splitPort(rest)
	if addr, err := netip.ParseAddr(unbracket(rest)); err == nil && e.Scheme == IKE {
		host, ok = addr.String(), false // the colons are its own
	}
	if !ok && e.Scheme == TCP {
		return Endpoint{}, errors.New("has no port: tcp needs one, as in tcp://10.3.11.31:3306")
	}
	if !ok {
		port = strconv.Itoa(int(defaultPort(e.Scheme)))
	}
	e, err := setPort(e, port)
	if err != nil {
		return Endpoint{}, err
	}
	return setHost(e, unbracket(host))
}

func parseHTTP(e Endpoint, s string) (Endpoint, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Endpoint{}, errors.New("is not a well-formed URL")
	}
	if u.User != nil {
		return Endpoint{}, errors.New("has credentials in it, which anyone could read in the list of processes: ask a page that needs none")
	}
	e.Port = defaultPort(e.Scheme)
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if e, err = setPort(e, port); err != nil {
			return Endpoint{}, err
		}
	}
	e.Path = u.EscapedPath()
	if u.RawQuery != "" {
		e.Path += "?" + u.RawQuery
	}
	return setHost(e, u.Hostname())
}

// splitPort cuts "host:port"; an IPv6 host must stand in brackets.
func splitPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.Contains(s[:i], ":") && !strings.HasSuffix(s[:i], "]") {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func setPort(e Endpoint, s string) (Endpoint, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return Endpoint{}, fmt.Errorf("has the port %s: want 1 to 65535", s)
	}
	e.Port = uint16(n)
	return e, nil
}

func unbracket(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return s[1 : len(s)-1]
	}
	return s
}

// isHostName tells whether s is the name of a host, underscores included, as
// resolvers and inventories take it.
func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		inner := strings.Trim(label, letters+digits+"_-")
		if label == "" || len(label) > 63 || inner != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// isNumeric tells whether the last label of a name is digits alone: such a name
// is a mistyped address (10.3.11 or 10.3.11.256), and some resolvers would make
// one of it.
func isNumeric(s string) bool {
	s = strings.TrimSuffix(s, ".")
	last := s[strings.LastIndexByte(s, '.')+1:]
	return last != "" && strings.Trim(last, digits) == ""
}

func setHost(e Endpoint, host string) (Endpoint, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if !Askable(addr) {
			return Endpoint{}, fmt.Errorf("has the address %s: want that of one host", addr)
		}
		e.Host, e.Addr = host, addr.Unmap()
		return e, nil
	}
	switch {
	case host == "":
		return Endpoint{}, errors.New("has no host")
	case strings.Contains(host, ":"), isNumeric(host):
		return Endpoint{}, fmt.Errorf("has the host %s, which is not a whole address", host)
	case !isHostName(host):
		return Endpoint{}, fmt.Errorf("has the host %s, which is neither an address nor a name", host)
	}
	e.Host = host
	return e, nil
}

// Askable tells whether addr can be that of one host. The unspecified
// address would reach this host itself, and a group could be answered by
// anyone: each would be a wrong OK.
func Askable(addr netip.Addr) bool {
	addr = addr.Unmap()
	return !addr.IsUnspecified() && !addr.IsMulticast() && addr != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
