package main

import (
	"errors"
	"os"
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
		bad("empty", ini("", 0o644), "{dir}/x.ini", "has no section"),
		bad("with hostile words", ini("[x]\nfar = "+strings.ToValidUTF8(hostileText, "")+"\n", 0o644), "{dir}/x.ini", ""),
		bad("that names itself", ini("[x]\nextra-opts = x@x.ini\n", 0o644), "{dir}/x.ini", "cannot stand in a file"),
		bad("with credentials", ini("[x]\nfar = http://u:geheim@10.2.0.1/\n", 0o644), "{dir}/x.ini", "credentials").ending(lacks("geheim")),
		bad("with 100,000 targets that are all wrong", ini("[x]\n"+strings.Repeat("far = 10.2.0.256\n", 50_000), 0o644), "{dir}/x.ini", ""),
	}
}

func (r row) ending(ends func(*room, *process) string) row {
	r.ends = ends
	return r
}
