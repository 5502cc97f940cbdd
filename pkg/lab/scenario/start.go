package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// toPipe has the plugin print into a pipe that is full already. A reader takes it
// out as it likes; without one nobody does.
func toPipe(reader func(*os.File)) starter {
	return func(p *place, cmd *exec.Cmd) {
		r, w, err := os.Pipe()
		p.note(err)
		p.Defer(w)
		p.Defer(r)
		size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
		_, failed := w.Write(make([]byte, size))
		p.note(errors.Join(err, failed))
		if reader != nil {
			go reader(r)
		}
		cmd.Stdout = w
	}
}

// slowly skips what filled the pipe, and reads a byte at a time.
func slowly(r *os.File) {
	time.Sleep(300 * time.Millisecond)
	_, err := io.CopyN(io.Discard, r, 4096)
	for b := make([]byte, 1); err == nil; {
		_, err = r.Read(b)
	}
}

// signalled sends the plugin a signal.
func signalled(s syscall.Signal) breaker {
	return func(p *place) error { return syscall.Kill(p.process(), s) }
}

// stopped has the plugin not run for a while.
func stopped(d time.Duration) breaker {
	return all(signalled(syscall.SIGSTOP), func(p *place) error {
		time.AfterFunc(d, func() { p.note(signalled(syscall.SIGCONT)(p)) })
		return nil
	})
}

// starts are callers that start a plugin oddly, do not read what it prints, or
// interrupt it.
func starts() (list []scenario) {
	mute := func(name string, start starter, args ...string) []scenario {
		seconds := 10
		if strings.Contains(name, "nobody reads") { // which ends by -t
			seconds = 5
		}
		well := up("stdout "+name, args...).with(one...).as(start).within(seconds)
		return []scenario{well.but("OK"), down(well.name+", a dead tunnel", well.args...).as(start).within(seconds).from(nobody).but("CRITICAL")}
	}
	list = append(list,
		up("events, then the report", words("-o events")...).with(one...).but("OK up", `{"format":"check_vpn events"`, `{"state":"OK"`),
		up("stdout a pipe that is read slowly", one...).as(toPipe(slowly)).but("OK"),
		up("stdin closed", one...).as(inShell("exec <&-")),
		up("stdin full of text", one...).as(func(_ *place, cmd *exec.Cmd) { cmd.Stdin = strings.NewReader(strings.Repeat("x", 1<<20)) }))
	list = append(list, mute("closed", inShell("exec >&-"))...)
	list = append(list, mute("and stderr closed", inShell("exec >&- 2>&-"))...)
	list = append(list, mute("full", inShell("exec >/dev/full"))...)
	list = append(list, mute("a pipe without a reader", toPipe(func(r *os.File) { r.Close() }))...)
	list = append(list, mute("a pipe that nobody reads", toPipe(nil))...)
	list = append(list, mute("a pipe that nobody reads, -o events", toPipe(nil), "-o", "events")...)

	for _, s := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGABRT} {
		name := unix.SignalName(s)
		list = append(list, down(name+" in mid-run", long...).from(at(10, 0, signalled(s))).but("UNKNOWN failed", "stopped by a signal"))
	}
	for _, s := range []syscall.Signal{unix.SIGPIPE, unix.SIGURG, unix.SIGWINCH, unix.SIGCHLD, unix.SIGCONT} {
		list = append(list, up(unix.SignalName(s)+" in mid-run", long...).from(at(10, 0, signalled(s))))
	}
	paused := func(name string, packet int, d time.Duration, args ...string) scenario {
		// It may find that no time is left, but must not alarm.
		return up(name, append(words("-w 300,20% -c 500,60%"), args...)...).from(at(packet, 100*time.Millisecond, stopped(d))).but("OK up|UNKNOWN failed")
	}
	list = append(list,
		paused("SIGSTOP for 1s at the first packet, 100 ms away", 1, time.Second, one...),
		paused("SIGSTOP for 3s at the fourth packet, 100 ms away", 4, 3*time.Second, one...),
		paused("SIGSTOP for 1s at packet 40, 100 ms away", 40, time.Second, long...),
	)

	env := func(name string, env ...string) scenario { return up(name, one...).as(withEnv(env...)) }
	var bulky []string
	for _, name := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
		bulky = append(bulky, name+"="+strings.Repeat("x", 100_000))
	}
	return append(list,
		up("environment empty", one...).as(func(_ *place, cmd *exec.Cmd) { cmd.Env = []string{} }),
		env("environment of a megabyte", bulky...),
		env("GO_FLAGS_COMPLETION", "GO_FLAGS_COMPLETION=1"),
		env("GO_FLAGS_COMPLETION, a dead tunnel", "GO_FLAGS_COMPLETION=verbose").from(nobody).but("CRITICAL down"),
		env("TZ broken", "TZ=Nowhere/"+hostileText),
		env("TZ a path that never ends", "TZ=:/dev/zero"),
		env("LANG odd", "LANG=tr_TR.ISO-8859-9", "LC_ALL=zz_ZZ", "LC_NUMERIC=de_DE.UTF-8"),
		env("HOME, PATH and TMPDIR broken", "HOME=/nowhere", "PATH=", "TMPDIR=/dev/null"),
		env("GODEBUG set", "GODEBUG=http2debug=2,netdns=9,x509sha1=1,nonsense", "GOGC=1", "GOMAXPROCS=-1"),
		env("ZONEINFO a pipe that nobody writes to", "ZONEINFO={dir}/pipe").when(pipe),
		down("SSL_CERT_FILE a pipe that nobody writes to", words("-H https://127.0.0.1/")...).as(withEnv("SSL_CERT_FILE={dir}/pipe")).
			when(pageOver(good), pipe).but("CRITICAL refused").within(3),
		misuse("MP_CONFIG_PATH broken", "no section [x]", "--extra-opts=x").as(withEnv("MP_CONFIG_PATH=/dev/null::/nowhere:"+hostileText)),
		misuse("MP_CONFIG_PATH full of pipes", "", "--extra-opts=x").as(withEnv("MP_CONFIG_PATH={dir}")).when(pipe),
	)
}
