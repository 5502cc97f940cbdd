package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"
)

// Signals at random moments.

// kill sends a signal to a plugin, up to a second after it has begun to ignore
// SIGPIPE, which it does when it has begun to catch the others. Before that, in
// the first thousandths of a second, the kernel ends it as it would end any
// program.
func kill(s syscall.Signal) func(*room, *process) error {
	return func(_ *room, p *process) error {
		pid := p.cmd.Process.Pid
		for began := time.Now(); !ignores(pid, syscall.SIGPIPE); time.Sleep(time.Millisecond) {
			if time.Since(began) > 5*time.Second {
				return fmt.Errorf("the plugin does not ignore SIGPIPE")
			}
		}
		time.Sleep(rand.N(time.Second))
		return p.cmd.Process.Signal(s)
	}
}

// ignores tells whether a process ignores a signal.
func ignores(pid int, s syscall.Signal) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && statusBits(string(text), "SigIgn")&(1<<(s-1)) != 0
}

func signalRows() (list []row) {
	// A first look of two seconds, which no signal can miss.
	long := words("-H 10.2.0.1 -n 100 -i 20")
	for _, s := range []struct {
		name   string
		signal syscall.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"SIGINT", syscall.SIGINT}, {"SIGHUP", syscall.SIGHUP},
		{"SIGQUIT", syscall.SIGQUIT}, {"SIGABRT", syscall.SIGABRT}} {
		for i := range 2 {
			list = append(list, row{name: fmt.Sprintf("%s at a random moment (%d)", s.name, i+1), args: long, seconds: 5,
				during: kill(s.signal), code: unknown, cause: "failed", says: "stopped by a signal"})
		}
		list = append(list, row{name: s.name + ", nobody answers, -t 5:CRITICAL", peer: nobody, args: append(words("-t 5:CRITICAL"), long...), seconds: 5,
			during: kill(s.signal), code: unknown, cause: "failed", says: "stopped by a signal"})
	}
	for _, s := range []struct {
		name   string
		signal syscall.Signal
	}{{"SIGPIPE", syscall.SIGPIPE}, {"SIGURG", syscall.SIGURG}, {"SIGWINCH", syscall.SIGWINCH}, {"SIGCHLD", syscall.SIGCHLD}, {"SIGCONT", syscall.SIGCONT}} {
		list = append(list, row{name: s.name + " at a random moment", args: long, seconds: 5, during: kill(s.signal), code: ok, cause: "up"})
	}
	usual := words("-H 10.2.0.1 -w 300,20% -c 500,60%")
	for _, d := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second} {
		for at, args := range map[int][]string{1: usual, 4: usual, 40: append(usual[:len(usual):len(usual)], "-n", "50")} {
			list = append(list, row{name: fmt.Sprintf("SIGSTOP for %s at packet %d, 100 ms away", d, at), args: args,
				peer: stopping(at, d), paused: d, seconds: 5, code: ok, cause: "up"})
		}
	}
	return list
}

// stopping makes a peer that answers after 100 ms, and stops the plugin for a time
// when so many echo requests have come.
func stopping(at int, d time.Duration) maker {
	return func(r *room) peer {
		seen := 0
		return echoes(func(w wire, p packet) {
			w.later(100*time.Millisecond, p.echoReply())
			if seen++; seen == at {
				pid := r.pid()
				r.note(syscall.Kill(pid, syscall.SIGSTOP))
				time.AfterFunc(d, func() { r.note(syscall.Kill(pid, syscall.SIGCONT)) })
			}
		})(r)
	}
}
