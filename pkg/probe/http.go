package probe

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
)

const (
	maxRedirects = 5
	maxHeader    = 64 << 10 // bytes of a response's header that are read
)

// redirectError says why a redirect is not followed.
type redirectError string

func (e redirectError) Error() string { return string(e) }

const (
	errRedirects redirectError = "more than 5 redirects"
	errElsewhere redirectError = "redirected to another host"
	errDowngrade redirectError = "redirected from https to http"
)

// tryPage asks for a page and looks at its status alone: the body is hostile
// and says nothing more, so it is not read. No proxy is used, because a proxy
// would be asked in place of the way that the question is about.
func (d *dialer) tryPage(ctx context.Context, e Endpoint) error {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, hostPort string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(hostPort)
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return nil, err
			}
			return d.dial(ctx, uint16(n))
		},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "check_vpn")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &StatusError{response.StatusCode}
	}
	return nil
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
