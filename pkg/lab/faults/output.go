package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What reads the plugin's output, or does not.

// contains and lacks look into all that a plugin printed.
func contains(words string) func(*room, *process) string {
	return func(_ *room, p *process) string {
		if !strings.Contains(p.stdout.String(), words) {
			return fmt.Sprintf("does not say %q: %s", words, p.stdout.String())
		}
		return ""
	}
}

func lacks(words string) func(*room, *process) string {
	return func(r *room, p *process) string {
		if contains(words)(r, p) == "" {
			return fmt.Sprintf("says %q: %s", words, p.stdout.String())
		}
		return ""
	}
}

// reason is contains, for what is said of a target.
func reason(words string) func(*room, *process) string { return contains(words) }

// recording looks into the lines of -o events.
func recording(_ *room, p *process) string {
	lines := strings.Split(strings.TrimSuffix(p.stdout.String(), "\n"), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			return fmt.Sprintf("not JSON: %.200q", line)
		}
	}
	if first, last := lines[0], lines[len(lines)-1]; !strings.HasPrefix(first, `{"format":`) || !strings.HasPrefix(last, `{"state":`) {
		return fmt.Sprintf("from %.100q to %.100q", first, last)
	}
	return ""
}

// toFile has the plugin print into a file.
func toFile(name string) func(*room, *exec.Cmd) {
	return func(r *room, cmd *exec.Cmd) {
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		r.note(err)
		if err == nil {
			r.closeLater(file)
			cmd.Stdout = file
		}
	}
}

// toPipe has the plugin print into a pipe that is nearly full already. A reader
// takes it out as it likes; nil leaves it full, and there is nobody at the end
// if gone is set.
func toPipe(gone bool, reader func(r *os.File, stdout io.Writer)) func(*room, *exec.Cmd) {
	return func(room *room, cmd *exec.Cmd) {
		r, w, err := os.Pipe()
		if err != nil {
			room.note(err)
			return
		}
		room.closeLater(w)
		stdout := cmd.Stdout
		cmd.Stdout = w
		if gone {
			r.Close()
			return
		}
		room.closeLater(r)
		size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
		_, failed := w.Write(make([]byte, size))
		room.note(errors.Join(err, failed))
		if reader != nil {
			go reader(r, stdout)
		}
	}
}

// slowly skips what filled the pipe, and reads a byte at a time.
func slowly(r *os.File, stdout io.Writer) {
	time.Sleep(300 * time.Millisecond)
	if _, err := io.CopyN(io.Discard, r, 4096); err != nil {
		return
	}
	one := make([]byte, 1)
	for {
		if _, err := r.Read(one); err != nil {
			return
		}
		_, _ = stdout.Write(one)
	}
}

func outputRows() []row {
	mute := func(name string, odd func(*room, *exec.Cmd)) row {
		return row{name: name, odd: odd, args: one, code: ok, mute: true}
	}
	dead := func(r row) row {
		r.name, r.peer, r.code = r.name+", a dead tunnel", nobody, critical
		return r
	}
	events := func(r row) row {
		r.name += ", -o events"
		return r.with("-o", "events")
	}
	closed, full := mute("stdout closed", inShell("exec >&-")), mute("stdout full", toFile("/dev/full"))
	gone, stuck := mute("stdout a pipe without a reader", toPipe(true, nil)), mute("stdout a pipe that nobody reads", toPipe(false, nil))
	return []row{
		closed, dead(closed), full, dead(full), gone, dead(gone), stuck.of(3), dead(stuck),
		events(gone), events(dead(gone)), events(stuck.of(3)), events(dead(stuck)),
		{name: "events, then the report", args: append(words("-o events"), one...), code: ok, mute: true, ends: recording},
		{name: "events of a dead tunnel, then the report", peer: nobody, args: append(words("-o events"), one...), code: critical, mute: true, ends: recording},
		mute("stdout a pipe that is read slowly", toPipe(false, slowly)),
		events(mute("stdout a pipe that is read slowly", toPipe(false, slowly))),
		mute("stdout and stderr closed", inShell("exec >&- 2>&-")),
		{name: "stdin closed", odd: inShell("exec <&-"), args: one, code: ok, cause: "up"},
		{name: "stdin full of text", odd: func(_ *room, cmd *exec.Cmd) { cmd.Stdin = strings.NewReader(strings.Repeat("x", 1<<20)) }, args: one, code: ok, cause: "up"},
	}
}
