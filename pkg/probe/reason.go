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

	"checkvpn/pkg/vpn"
)

// noPermission says that ICMP may not be sent.
const noPermission = "no permission to send ICMP"

// errnos are the errors that the kernel gives. Those of sending and connecting
// are evidence about the way: a dead VPN often takes its interface, its address
// and its routes with it. That this host is out of something is its own fault.
var errnos = map[syscall.Errno]vpn.Fault{
	syscall.ECONNREFUSED:  {Code: vpn.Reset, Words: "connection refused"},
	syscall.ECONNRESET:    {Code: vpn.Reset, Words: "connection reset"},
	syscall.EPIPE:         {Code: vpn.Reset, Words: "connection reset"},
	syscall.EHOSTUNREACH:  {Code: vpn.NoRoute, Words: "no route to host"},
	syscall.ENETUNREACH:   {Code: vpn.NoRoute, Words: "network unreachable"},
	syscall.EHOSTDOWN:     {Code: vpn.NoRoute, Words: "host down"},
	syscall.ENETDOWN:      {Code: vpn.NoRoute, Words: "interface down"},
	syscall.EACCES:        {Code: vpn.NoRoute, Words: "prohibited by a route of this host"},
	syscall.EPERM:         {Code: vpn.NoRoute, Words: "blocked by the firewall of this host"},
	syscall.EINVAL:        {Code: vpn.NoRoute, Words: "blackholed by a route of this host"},
	syscall.EAFNOSUPPORT:  {Code: vpn.NoRoute, Words: "address family not available on this host"},
	syscall.ENODEV:        {Code: vpn.NoInterface, Words: "interface gone"},
	syscall.ENXIO:         {Code: vpn.NoInterface, Words: "interface gone"},
	syscall.EADDRNOTAVAIL: {Code: vpn.NoSource, Words: "source address gone"},
	syscall.ETIMEDOUT:     {Code: vpn.Timeout, Words: "no answer in time"},
	syscall.EMSGSIZE:      {Code: vpn.OtherFault, Words: "packet too big for the way"},
	syscall.ENOBUFS:       {Code: vpn.QueueFull, Words: "send queue full", Own: true},
	syscall.EAGAIN:        {Code: vpn.QueueFull, Words: "send queue full", Own: true},
	syscall.EMFILE:        {Code: vpn.NoDescriptors, Words: "no file descriptor is free", Own: true},
	syscall.ENFILE:        {Code: vpn.NoDescriptors, Words: "no file descriptor is free", Own: true},
	syscall.ENOMEM:        {Code: vpn.OtherFault, Words: "no memory is free", Own: true},
}

// faultOf puts an error into a few words, and into a class. It is the one place
// that does. Nothing that the far end chose gets into it.
func faultOf(err error) *vpn.Fault {
	var known *vpn.Fault
	var call *os.SyscallError
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &call) && forbids(call):
		return &vpn.Fault{Code: vpn.NoPermission, Words: "no permission for the system call " + call.Syscall, Own: true}
	case errors.As(err, &errno):
		if f, ok := errnos[errno]; ok {
			return &f
		}
		return &vpn.Fault{Code: vpn.OtherFault, Words: errno.Error()}
	}
	if text := explainTLS(err); text != "" {
		return &vpn.Fault{Code: vpn.BadAnswer, Words: "TLS: " + text}
	}
	switch {
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &vpn.Fault{Code: vpn.Timeout, Words: "no answer in time"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &vpn.Fault{Code: vpn.BadAnswer, Words: "connection closed"}
	}
	return &vpn.Fault{Code: vpn.BadAnswer, Words: "not a valid answer"}
}

// icmpFault is the fault of an error in sending echo requests, which are not
// allowed to everybody.
func icmpFault(err error) *vpn.Fault {
	switch f := faultOf(err); f.Code {
	case vpn.NoPermission:
		return &vpn.Fault{Code: vpn.NoPermission, Words: noPermission, Own: true}
	case vpn.BadAnswer: // nothing was asked yet
		return ownFault("cannot send echo requests: " + err.Error())
	default:
		return f
	}
}

// forbids tells whether this host would not let a socket be made or prepared:
// the same errors mean something else if they are of sending.
func forbids(call *os.SyscallError) bool {
	switch call.Syscall {
	case "socket", "setsockopt", "bind", "fcntl":
		return errors.Is(call.Err, syscall.EPERM) || errors.Is(call.Err, syscall.EACCES)
	}
	return false
}

// ownFault is one that says nothing of the way.
func ownFault(words string) *vpn.Fault {
	return &vpn.Fault{Code: vpn.OtherFault, Words: words, Own: true}
}

// cannotAsk is a failure to ask the kernel for something.
func cannotAsk(what string, err error) error {
	if f := faultOf(err); f.Own {
		return &vpn.Fault{Code: f.Code, Words: "cannot ask the kernel for " + what + ": " + f.Words, Own: true}
	}
	return ownFault("cannot ask the kernel for " + what + ": " + err.Error())
}

// unresolved is why a name has no address that can be asked; ours is what was
// wrong on this host, if anything was.
func unresolved(name string, err error, ours *vpn.Fault) *vpn.Fault {
	code, what := vpn.NoResolver, "the resolver refuses"
	switch {
	case isDenied(err):
		code, what = vpn.NoName, "no such name"
	case ours != nil:
		return &vpn.Fault{Code: ours.Code, Words: "cannot ask the resolver: " + ours.Words + " (" + name + ")", Own: true}
	case isTimeout(err): // a context that has run out, too
		what = "the resolver is silent"
	}
	return &vpn.Fault{Code: code, Words: what + " (" + name + ")"}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// explainTLS is what an error of TLS means; empty if it is none.
func explainTLS(err error) string {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case is[x509.UnknownAuthorityError](err):
		return "certificate signed by an unknown authority"
	case is[x509.HostnameError](err):
		return "certificate is for another name"
	case isInvalid && invalid.Reason == x509.Expired:
		return "certificate expired or not yet valid"
	case isInvalid, is[*tls.CertificateVerificationError](err):
		return "certificate not valid"
	case is[tls.AlertError](err):
		return "refused by the far end"
	case is[tls.RecordHeaderError](err), errors.Is(err, http.ErrSchemeMismatch):
		return "the far end does not speak it"
	}
	return ""
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// refused tells whether err came from the target itself: then something there
// answers, and the way to it is open.
func refused(err error) bool {
	f := faultOf(err)
	return f != nil && f.Code == vpn.Reset
}

// badStatus is an HTTP status that is no answer.
func badStatus(status int) *vpn.Fault {
	code := vpn.HTTPStatus
	if status == http.StatusForbidden {
		code = vpn.Forbidden
	}
	return &vpn.Fault{Code: code, Words: fmt.Sprintf("HTTP status %d", status)}
}
