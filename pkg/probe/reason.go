package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// ResolveError says why a name has no address that can be asked.
type ResolveError struct {
	Name string
	What string // "no such name", "the resolver is silent", "the resolver refuses"
}

func (e *ResolveError) Error() string { return e.What + " (" + e.Name + ")" }

// UnableError says that this machine would not let us ask: our own fault, and
// no evidence about the way to the target.
type UnableError struct {
	What   string
	Remedy string // what to do about it, or empty
}

func (e *UnableError) Error() string {
	if e.Remedy == "" {
		return e.What
	}
	return e.What + ": " + e.Remedy
}

// StatusError is an HTTP status outside 200-299.
type StatusError struct{ Code int }

func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d", e.Code) }

// words are the errors that the kernel gives, in the words of a person on
// call. Those of sending and connecting are evidence about the way: a dead VPN
// often takes its interface, its address and its routes with it.
var words = map[syscall.Errno]string{
	syscall.ECONNREFUSED:  "connection refused",
	syscall.ECONNRESET:    "connection reset",
	syscall.EPIPE:         "connection reset",
	syscall.EHOSTUNREACH:  "no route to host",
	syscall.ENETUNREACH:   "network unreachable",
	syscall.EHOSTDOWN:     "host down",
	syscall.ENETDOWN:      "interface down",
	syscall.EACCES:        "prohibited by a route of this machine",
	syscall.EPERM:         "blocked by the firewall of this machine",
	syscall.EINVAL:        "blackholed by a route of this machine",
	syscall.ENODEV:        "interface gone",
	syscall.ENXIO:         "interface gone",
	syscall.EADDRNOTAVAIL: "source address gone",
	syscall.EAFNOSUPPORT:  "address family not available on this machine",
	syscall.EMSGSIZE:      "packet too big for the way",
	syscall.ETIMEDOUT:     "no answer in time",
	syscall.ENOBUFS:       "send queue full",
}

// explained is an error with words of our own before it, which keeps the
// original for callers that ask what it is.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }

// explain puts an error of the network into a few words. Nothing that the far
// end chose gets into them.
func explain(err error) error {
	var errno syscall.Errno
	var status *StatusError
	var redirect redirectError
	var told *ToldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		return told
	case errors.As(err, &status):
		return status
	case errors.As(err, &redirect):
		return redirect
	case errors.As(err, &errno):
		if text, ok := words[errno]; ok {
			return &explained{text, err}
		}
		return &explained{errno.Error(), err}
	}
	if text, ok := explainTLS(err); ok {
		return &explained{"TLS: " + text, err}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return &explained{"no answer in time", err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &explained{"connection closed", err}
	}
	return &explained{"not a valid answer", err}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func explainTLS(err error) (string, bool) {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		alert     tls.AlertError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "certificate signed by an unknown authority", true
	case errors.As(err, &host):
		return "certificate is for another name", true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate expired or not yet valid", true
	case errors.As(err, &invalid), errors.As(err, &verify):
		return "certificate not valid", true
	case errors.As(err, &alert):
		return "refused by the far end", true
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the far end does not speak it", true
	}
	return "", false
}

// refused tells whether err came from the target itself: then something there
// answers, and the way to it is open.
func refused(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// within says that an attempt had no answer in the time that it was given.
func within(limit time.Duration) error {
	return fmt.Errorf("no answer within %s", limit.Round(10*time.Millisecond))
}
