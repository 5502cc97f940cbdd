package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A machine that is short of something, or very busy, or whose clock is set.

// inMemory starts a plugin in a memory control group of so many bytes, of the
// first version or the second. (A limit on address space would not do: Go's
// runtime reserves much more than it uses.)
func inMemory(bytes int) func(*room, *exec.Cmd) {
	return func(r *room, cmd *exec.Cmd) {
		group, err := memoryGroup(bytes)
		if err != nil {
			r.note(err)
			return
		}
		r.closeLater(group)
		inShell(fmt.Sprintf("echo $$ > %s/cgroup.procs", group))(r, cmd)
	}
}

type controlGroup string

// Close removes the group, which takes the kernel a moment.
func (g controlGroup) Close() (err error) {
	for range 100 {
		if err = os.Remove(string(g)); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func memoryGroup(bytes int) (controlGroup, error) {
	var errs []error
	for parent, files := range map[string][]string{
		"/sys/fs/cgroup/memory": {"memory.limit_in_bytes"},
		"/sys/fs/cgroup":        {"memory.max", "memory.swap.max"},
	} {
		dir, err := os.MkdirTemp(parent, "check-vpn-")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		err = os.WriteFile(filepath.Join(dir, files[0]), []byte(strconv.Itoa(bytes)), 0o644)
		if err == nil {
			return controlGroup(dir), nil
		}
		errs = append(errs, err, os.Remove(dir))
	}
	return "", fmt.Errorf("no memory control group: %w", errors.Join(errs...))
}

// busy loads every core until the room is closed.
func busy(r *room) error {
	for range 2 * runtime.NumCPU() {
		cmd := exec.Command("/bin/sh", "-c", "while :; do :; done")
		if err := r.Start(cmd); err != nil {
			return err
		}
		r.closeLater(killer{cmd})
	}
	return nil
}

func machineRows() []row {
	// Time is short then, and that is no fault of the network's.
	loose := words("-H 10.2.0.1 -w 20000,40% -c 20000,80% -n 3")
	fourteen := words("-m 14")
	for i := range 14 {
		fourteen = append(fourteen, "-H", fmt.Sprintf("10.2.0.%d", 1+i))
	}
	thousand := words("-t 15")
	for i := range 1200 {
		thousand = append(thousand, "-H", fmt.Sprintf("10.2.%d.%d", 1+i/250, 1+i%250))
	}
	var names []string
	for i := range 14 {
		names = append(names, "-H", fmt.Sprintf("m%d.example", i))
	}
	files := inShell("ulimit -n 16")
	var hundreds, closed []string
	for i := range 300 {
		hundreds = append(hundreds, "-H", fmt.Sprintf("10.2.%d.%d", 1+i/250, 1+i%250))
	}
	for i := range 40 {
		closed = append(closed, "-H", fmt.Sprintf("tcp://10.2.1.%d:22", 1+i))
	}
	return []row{
		{name: "clock stepped back and forth by a minute", odd: stepped, args: words("-H 10.2.0.1 -n 50"), code: ok, cause: "up"},
		{name: "clock stepped, TLS", odd: stepped, rig: pageOver(goodOne), args: words("-H https://127.0.0.1/"), code: ok, cause: "up"},
		{name: "clock stepped, a silent target", odd: stepped, peer: nobody, args: one, code: critical, cause: "down"},
		{name: "clock stepped, a silent resolver", odd: stepped, rig: resolver(silence), args: words("-H a.example"), code: critical, cause: "resolver-down", says: "the resolver is silent"},
		{name: "clock stepped, IKE silent", odd: stepped, peer: nobody, args: words("-H ike://10.2.0.1"), code: critical, cause: "down"},
		{name: "16 file descriptors", odd: files, args: fourteen, seconds: 10, code: ok, cause: "up"},
		{name: "16 file descriptors, a dead tunnel", odd: files, peer: nobody, args: fourteen, seconds: 10, code: critical, cause: "down"},
		{name: "16 file descriptors, 40 dead targets by TCP", odd: files, peer: nobody, args: closed, code: critical, cause: "down", seconds: 5},
		{name: "64 file descriptors, 300 dead targets", odd: inShell("ulimit -n 64"), peer: nobody, args: hundreds, code: critical, cause: "down", seconds: 10},
		{name: "6 file descriptors", odd: inShell("ulimit -n 6"), args: fourteen, code: unknown, cause: "failed", says: "no file descriptor", seconds: 5},
		{name: "6 file descriptors, a dead tunnel by TCP", odd: inShell("ulimit -n 6"), peer: nobody, args: closed, code: unknown, cause: "failed", says: "no file descriptor", seconds: 5},
		{name: "1,200 targets, a dead tunnel", peer: nobody, args: thousand, code: critical, cause: "down", seconds: 15},
		{name: "16 file descriptors, raw ICMP", odd: files, rig: onlyRaw, args: fourteen, seconds: 10, code: ok, cause: "up"},
		{name: "16 file descriptors, names", odd: files, rig: resolver(addresses("10.2.0.1")), args: names, seconds: 10, code: ok, cause: "up"},
		{name: "16 file descriptors, TLS", odd: files, rig: pageOver(goodOne), args: words("-H https://127.0.0.1/"), code: ok, cause: "up"},
		{name: "64 MiB of memory", odd: inMemory(64 << 20), args: fourteen, code: ok, cause: "up"},
		{name: "64 MiB of memory, an endless header", odd: inMemory(64 << 20), args: words("-H web=http://127.0.0.1/"), code: critical, cause: "refused",
			rig: onPort("80", func(c net.Conn) { endless("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 1<<20), 0)(c) })},
		{name: "64 MiB of memory, 2,000 addresses", odd: inMemory(64 << 20), rig: resolver(addresses(many(2000, 2)...)), args: words("-H a.example"), code: ok, cause: "up"},
		{name: "64 MiB of memory, a file of 100 MB", odd: inMemory(64 << 20), rig: bigFile, args: words("--extra-opts=x@{dir}/x.ini"), code: unknown, cause: "misuse", says: "larger than 1 MiB"},
		{name: "200 plugins at once", copies: 200, args: loose, seconds: 60, code: ok, cause: "up", alone: true},
		{name: "50 plugins at once, a dead tunnel", peer: nobody, copies: 50, args: one, seconds: 30, code: critical, cause: "down", alone: true},
		{name: "both cores busy", rig: busy, args: loose, seconds: 30, code: ok, cause: "up", alone: true},
		{name: "both cores busy, a dead tunnel", rig: busy, peer: nobody, args: one, code: critical, cause: "down", alone: true},
	}
}
