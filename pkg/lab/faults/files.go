package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Files that are named in the arguments and are not what they should be.

// ini makes a file of options.
func ini(text string, mode os.FileMode) func(*room) error {
	return func(r *room) error { return r.write("x.ini", []byte(text), mode) }
}

// pipe makes a named pipe that nobody writes to, by the names that are looked
// for.
func pipe(r *room) error {
	return errors.Join(
		unix.Mkfifo(filepath.Join(r.dir, "pipe"), 0o666),
		unix.Mkfifo(filepath.Join(r.dir, "check_vpn.ini"), 0o666))
}

func bigFile(r *room) error {
	return errors.Join(ini("[x]\nfar = 10.2.0.1\n", 0o644)(r), os.Truncate(filepath.Join(r.dir, "x.ini"), 100<<20))
}

func both(parts ...func(*room) error) func(*room) error {
	return func(r *room) error {
		for _, part := range parts {
			if err := part(r); err != nil {
				return err
			}
		}
		return nil
	}
}

func fileRows() []row {
	const usual = "# a comment\n[x]\nfar = 10.2.0.1\npackets = 3\n"
	at := func(file string) []string { return []string{"--extra-opts=x@" + file} }
	in := at("{dir}/x.ini")
	bad := func(name string, rig func(*room) error, file, says string) row {
		return row{name: "config file " + name, rig: rig, args: at(file), code: unknown, cause: "misuse", says: says}
	}
	good := func(name, text string) row {
		return row{name: "config file " + name, rig: ini(text, 0o644), args: in, code: ok, cause: "up"}
	}
	loop := func(r *room) error { return os.Symlink("loop", filepath.Join(r.dir, "loop")) }
	return []row{
		good("as it should be", usual),
		good("with a byte-order mark", "\ufeff"+usual),
		good("with CRLF", strings.ReplaceAll(usual, "\n", "\r\n")),
		good("without a last newline", strings.TrimSpace(usual)),
		bad("missing", nil, "{dir}/nowhere", "does not exist"),
		bad("unreadable", ini(usual, 0o600), "{dir}/x.ini", "cannot be read by this user").as(asNobody),
		bad("a directory", nil, "{dir}", "is not a regular file"),
		bad("a pipe", pipe, "{dir}/pipe", "is not a regular file"),
		bad("a device without end", nil, "/dev/zero", "is not a regular file"),
		bad("the plugin's own memory", nil, "/proc/self/mem", ""),
		bad("a link to itself", loop, "{dir}/loop", "cannot be read"),
		bad("of 100 MB", bigFile, "{dir}/x.ini", "larger than 1 MiB"),
		bad("binary", ini("[x]\nfar = \x00\xff\xfe", 0o644), "{dir}/x.ini", "is not a text file"),
		bad("in UTF-16", ini("\xff\xfe[\x00x\x00]\x00", 0o644), "{dir}/x.ini", "is not a text file"),
		bad("empty", ini("", 0o644), "{dir}/x.ini", "has no such section"),
		bad("with hostile words", ini("[x]\nfar = "+strings.ToValidUTF8(hostileText, "")+"\n", 0o644), "{dir}/x.ini", ""),
		bad("that names itself", ini("[x]\nextra-opts = x@x.ini\n", 0o644), "{dir}/x.ini", "cannot stand in"),
		bad("with credentials", ini("[x]\nfar = http://u:geheim@10.2.0.1/\n", 0o644), "{dir}/x.ini", "credentials").ending(lacks("geheim")),
		bad("with 100,000 targets that are all wrong", ini("[x]\n"+strings.Repeat("far = 10.2.0.256\n", 50_000), 0o644), "{dir}/x.ini", ""),
	}
}

func (r row) ending(ends func(*room, *process) string) row {
	r.ends = ends
	return r
}

// recorded makes a file of events, of the plugin that will read it.
func recorded(lines ...string) func(*room, *exec.Cmd) {
	return func(r *room, cmd *exec.Cmd) {
		text := strings.ReplaceAll(strings.Join(lines, "\n"), "{program}", filepath.Base(cmd.Path))
		r.note(r.write("x.jsonl", []byte(text), 0o644))
	}
}

// recordedHeader is the first line of a recording.
const recordedHeader = `{"format":"check_vpn events","version":1,"program":"{program}","start":"2026-01-02T03:04:05Z","targets":[{"role":"far","url":"10.2.0.1"}],` +
	`"warning":"100,20%","critical":"500,60%","partial":"WARNING","min_far":1,"packets":5,"max_packets":40,"interval_ms":15,"timeout_s":10}`

// absurdEvents are events of every kind, with numbers that cannot be.
func absurdEvents() (all []string) {
	const big = "9223372036854775807"
	for _, kind := range []string{"resolved", "sent", "answered", "refused", "icmp-error", "attempt-over", "local-error", "route", "counters", "paused", "judged", "nothing"} {
		for _, look := range []string{"first", "loss", "silence", "sizes", "path", "connect", "nothing"} {
			for _, n := range []string{"-1", "0", "65535", big} {
				all = append(all, `{"kind":"`+kind+`","look":"`+look+`","target":0,"addr":"10.2.0.1","seq":`+n+`,"took":`+strings.TrimPrefix(n, "-")+`}`,
					`{"kind":"`+kind+`","look":"`+look+`","target":`+n+`,"at":`+strings.TrimPrefix(n, "-")+`,"addr":"::ffff:10.2.0.1"}`)
			}
		}
	}
	return all
}

// replayRows are files for --replay that no plugin has made.
func replayRows() []row {
	const (
		header = recordedHeader
		judged = `{"kind":"judged","at":9000000000,"target":-1}`
		big    = "9223372036854775807"
	)
	with := func(old, new string) string { return strings.Replace(header, old, new, 1) }
	file := func(name, says string, lines ...string) row {
		return row{name: "recording " + name, odd: recorded(lines...), args: words("--replay {dir}/x.jsonl"), code: unknown, cause: "misuse", says: says}
	}
	odd := func(name string, lines ...string) row { return file(name, "", lines...).but(unknown, "failed", "") }
	return []row{
		odd("without an event", header),
		odd("of every event with absurd numbers", append([]string{header}, absurdEvents()...)...),
		odd("of a day that never ends", header, judged, strings.Replace(judged, "9000000000", big, 1)),
		file("empty", "is empty"),
		file("binary", "is no recording", "\x00\xff\xfe\x1b[31m"),
		file("of hostile words", "is no recording", hostileText),
		file("with a line of 2 MB", "too long", header, strings.Repeat("x", 2<<20)),
		file("with a first line of 2 MB", "too long", strings.Repeat("x", 2<<20)),
		file("with a line that is no event", "has no event in line 3", header, judged, hostileText),
		file("of another program", "is a recording of", with("{program}", `a|b<b>\u001b[31m`)),
		file("of another version", "version 7", with(`"version":1`, `"version":7`)),
		file("of no target", "no target", with(`{"role":"far","url":"10.2.0.1"}`, "")),
		file("of a hostile target", "", with("10.2.0.1", `a|b<b>\u001b[31m\u0000`)),
		file("of a role that is an option", "", with(`"far","url":"10.2.0.1"`, `"extra-opts","url":"x@/etc/passwd"`)),
		file("of -5 packets", "", with(`"packets":5`, `"packets":-5`)),
		file("of an interval of 10^18 ms", "", with(`"interval_ms":15`, `"interval_ms":1000000000000000000`)),
		file("of a state that is none", "", with(`"WARNING"`, `"%s\n%n"`)),
		file("of another target than is given", "those of the recording", header).with("-H", "10.2.0.2"),
		file("missing", "does not exist").with("--replay", "{dir}/nowhere"),
		file("a device without end", "is not a regular file").with("--replay", "/dev/zero"),
		file("a folder", "is not a regular file").with("--replay", "{dir}"),
	}
}
