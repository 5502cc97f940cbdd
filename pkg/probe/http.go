package probe

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"checkvpn/pkg/vpn"
)

const (
	maxRedirects = 5
	maxHeader    = 64 << 10 // bytes of a response's header that are read
)

// Why a redirect is not followed.
var (
	errRedirects = &vpn.Fault{Code: vpn.BadAnswer, Words: "more than 5 redirects"}
	errElsewhere = &vpn.Fault{Code: vpn.BadAnswer, Words: "redirected to another host"}
	errDowngrade = &vpn.Fault{Code: vpn.BadAnswer, Words: "redirected from https to http"}
)

// tryPage asks for a page and looks at its status alone: the body is hostile
// and says nothing more, so it is not read. No proxy is used, because a proxy
// would be asked in place of the way that the question is about.
func (d *dialer) tryPage(ctx context.Context, e vpn.Endpoint, status func(int) bool) error {
	page, err := urlOf(e)
	if err != nil {
		return ownFault("the URL cannot be put into a request")
	}
	transport := &http.Transport{
		DialContext: func(_ context.Context, _, hostPort string) (net.Conn, error) {
			return d.dialTo(ctx, hostPort)
		},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if status(next.Response.StatusCode) {
			return http.ErrUseLastResponse
		}
		return checkRedirect(next, via)
	}}
	request := (&http.Request{Method: http.MethodGet, URL: page, Header: http.Header{"User-Agent": {"check_vpn"}}}).WithContext(ctx)
	response, err := client.Do(request)
	d.awaitDial()
	if err != nil {
		return err
	}
	response.Body.Close()
	if !status(response.StatusCode) {
		return badStatus(response.StatusCode)
	}
	return nil
}

// urlOf is what is asked. The host is set as it is, for net/url does not take
// every address that it is given as text, as that of an IPv6 zone.
func urlOf(e vpn.Endpoint) (*url.URL, error) {
	page, err := url.Parse(string(e.Scheme) + "://host" + e.Path)
	if err != nil {
		return nil, err
	}
	page.Host = net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
	if e.Scheme == vpn.HTTP && e.Port == 80 || e.Scheme == vpn.HTTPS && e.Port == 443 {
		page.Host = strings.TrimSuffix(page.Host, page.Host[strings.LastIndexByte(page.Host, ':'):])
	}
	return page, nil
}

// awaitDial waits for a dial that is still under way although its time is over:
// it may have been told why.
func (d *dialer) awaitDial() {
	d.dialing.Lock()
	defer d.dialing.Unlock()
}

// dialTo is how the library connects: to the port that it wants, at the one
// address. It does so in a goroutine of its own.
func (d *dialer) dialTo(ctx context.Context, hostPort string) (conn net.Conn, err error) {
	d.dialing.Lock()
	defer d.dialing.Unlock()
	err = errDialerFailed
	d.guarded(func() {
		port := hostPort[strings.LastIndexByte(hostPort, ':')+1:]
		var n uint64
		if n, err = strconv.ParseUint(port, 10, 16); err == nil {
			conn, err = d.dial(ctx, uint16(n))
		}
	})
	return conn, err
}

// checkRedirect follows a redirect on the same host name alone: another host
// is another question, and a step from https to http loses the proof of who
// answered.
func checkRedirect(next *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return errRedirects
	case next.URL.Scheme != "http" && next.URL.Scheme != "https", !strings.EqualFold(next.URL.Hostname(), via[0].URL.Hostname()):
		return errElsewhere
	case last.Scheme == "https" && next.URL.Scheme == "http":
		return errDowngrade
	}
	return nil
}
