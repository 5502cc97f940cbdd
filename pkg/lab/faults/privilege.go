package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// Plugins with more rights than their caller.

// asCopy starts a copy of the plugin, of which something is changed, as nobody.
func asCopy(change func(file string) error) func(*room, *exec.Cmd) {
	return func(r *room, cmd *exec.Cmd) {
		text, err := os.ReadFile(cmd.Path)
		copied := filepath.Join(r.dir, filepath.Base(cmd.Path))
		if err == nil {
			// A program that another row starts meanwhile would have the file open
			// for a moment, and what is open for writing cannot be started.
			syscall.ForkLock.RLock()
			err = os.WriteFile(copied, text, 0o755)
			syscall.ForkLock.RUnlock()
		}
		r.note(errors.Join(err, change(copied)))
		cmd.Path = copied
		asNobody(r, cmd)
	}
}

func mode(m uint32) func(string) error {
	return func(file string) error { return unix.Chmod(file, m) }
}

// capable is `setcap cap_...+ep`, as capabilities(7) has the attribute.
func capable(capabilities ...int) func(string) error {
	var permitted uint32
	for _, c := range capabilities {
		permitted |= 1 << c
	}
	attribute := binary.LittleEndian.AppendUint32(nil, 0x02000001) // revision 2, effective
	attribute = binary.LittleEndian.AppendUint32(attribute, permitted)
	attribute = append(attribute, make([]byte, 12)...)
	return func(file string) error { return unix.Setxattr(file, "security.capability", attribute, 0) }
}

// holds notes an error unless every thread of the plugin now has these
// capabilities, of those in mask.
func (r *room) holds(want, mask uint64) {
	pid := r.pid()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("the plugin is gone")
	}
	r.note(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, set := range []string{"CapPrm", "CapEff"} {
			if got := statusBits(string(text), set) & mask; got != want {
				r.note(fmt.Errorf("%s is %x when the network is read, want %x", set, got, want))
			}
		}
	}
}

// statusBits is a set of bits in /proc/PID/status.
func statusBits(status, name string) uint64 {
	_, text, _ := strings.Cut(status, name+":")
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	bits, _ := strconv.ParseUint(text, 16, 64)
	return bits
}

func privilegeRows() []row {
	const netRaw, all = 1 << unix.CAP_NET_RAW, ^uint64(0)
	named := func(want, mask uint64) func(*room) error {
		return func(r *room) error {
			return resolver(func(q dnsmessage.Message, overTCP bool) [][]byte {
				r.holds(want, mask)
				return addresses("10.2.0.1")(q, overTCP)
			})(r)
		}
	}
	accepting := func(want, mask uint64) func(*room) error {
		return func(r *room) error {
			return onPort("80", func(c net.Conn) {
				r.holds(want, mask)
				page(c)
			})(r)
		}
	}
	raw := asCopy(capable(unix.CAP_NET_RAW))
	rawAndFiles := asCopy(capable(unix.CAP_NET_RAW, unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE))
	name, web := words("-H a.example"), words("-H web=http://127.0.0.1/")
	secret := ini("[x]\nfar = 10.2.0.1\n", 0o600)
	file := words("--extra-opts=x@{dir}/x.ini")
	return []row{
		{name: "cap_net_raw, unprivileged ICMP works: dropped", odd: raw, rig: named(0, all), args: name, code: ok, cause: "up"},
		{name: "cap_net_raw, no ICMP asked: dropped", odd: raw, rig: both(onlyRaw, accepting(0, all)), args: web, code: ok, cause: "up"},
		{name: "cap_net_raw, ICMP needs it: kept alone", odd: rawAndFiles, rig: both(onlyRaw, named(netRaw, all)), args: name, code: ok, cause: "up"},
		{name: "root, no ICMP asked: cap_net_raw dropped", rig: both(onlyRaw, accepting(0, netRaw)), args: web, code: ok, cause: "up"},
		{name: "cap_net_raw, a config file of root's", odd: raw, rig: secret, args: file, code: unknown, cause: "misuse", says: "cannot be read by this user"},
		{name: "cap_dac_override too, a config file of root's", odd: rawAndFiles, rig: secret, args: file, code: unknown, cause: "misuse", says: "cannot be read by this user"},
		{name: "setuid root", odd: asCopy(mode(0o4755)), args: one, code: unknown, cause: "misuse", says: "setuid"},
		{name: "setuid root, a config file of root's", odd: asCopy(mode(0o4755)), rig: secret, args: file, code: unknown, cause: "misuse", says: "setuid"},
		{name: "setgid root", odd: asCopy(mode(0o2755)), args: one, code: unknown, cause: "misuse", says: "setuid or setgid"},
	}
}
