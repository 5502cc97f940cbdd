package main

import (
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

// file makes one of the row.
func file(name, text string, mode os.FileMode) breaker {
	return func(p *place) error { return p.write(name, text, mode) }
}

// pipe makes a named pipe that nobody writes to, by the names that are looked for.
func pipe(p *place) error {
	return errors.Join(unix.Mkfifo(p.dir+"/pipe", 0o666), unix.Mkfifo(p.dir+"/check_vpn.ini", 0o666))
}

func bigFile(p *place) error {
	return errors.Join(file("x.ini", "[x]\nfar = 10.2.0.1\n", 0o644)(p), os.Truncate(p.dir+"/x.ini", 100<<20))
}

// files are named in the arguments, and are not what they should be. How one is
// read is tested in pkg/plugin, and recordings in pkg/vpn; here is what the file system
// does.
func files() []scenario {
	const ini = "[x]\nfar = 10.2.0.1\npackets = 3\n"
	bad := func(name, path, says string, makes ...breaker) scenario {
		return misuse("config file "+name, says, "--extra-opts=x@"+path).when(makes...)
	}
	loop := func(p *place) error { return os.Symlink("loop", filepath.Join(p.dir, "loop")) }
	return []scenario{
		up("config file as it should be", "--extra-opts=x@{dir}/x.ini").when(file("x.ini", ini, 0o644)),
		bad("unreadable", "{dir}/x.ini", "cannot be read by this user", file("x.ini", ini, 0o600)).as(asNobody),
		bad("a pipe", "{dir}/pipe", "is not a regular file", pipe),
		bad("a device without end", "/dev/zero", "is not a regular file"),
		bad("the plugin's own memory", "/proc/self/mem", ""),
		bad("a link to itself", "{dir}/loop", "cannot be read", loop),
		bad("of 100 MB", "{dir}/x.ini", "larger than 1 MiB", bigFile),
		bad("with hostile words", "{dir}/x.ini", "", file("x.ini", "[x]\nfar = "+strings.ToValidUTF8(hostileText, "")+"\n", 0o644)),
		bad("with 50,000 targets that are all wrong", "{dir}/x.ini", "", file("x.ini", "[x]\n"+strings.Repeat("far = 10.2.0.256\n", 50_000), 0o644)),
		bad("with credentials", "{dir}/x.ini", "credentials", file("x.ini", "[x]\nfar = http://u:geheim@10.2.0.1/\n", 0o644)).without("geheim"),
		misuse("a recording without end", "is not a regular file", words("--replay /dev/zero")...),
	}
}

// asCopy starts a copy of the plugin, to which a command has been done, as nobody.
func asCopy(change string) starter {
	return func(p *place, cmd *exec.Cmd) {
		text, err := os.ReadFile(cmd.Path)
		copied := filepath.Join(p.dir, filepath.Base(cmd.Path))
		if err == nil {
			// A program that another row starts meanwhile would have the file open
			// for a moment, and what is open for writing cannot be started.
			syscall.ForkLock.RLock()
			err = os.WriteFile(copied, text, 0o755)
			syscall.ForkLock.RUnlock()
		}
		args := append(words(change), copied)
		p.note(errors.Join(err, exec.Command(args[0], args[1:]...).Run()))
		cmd.Path = copied
		asNobody(p, cmd)
	}
}

// holds notes an error unless every thread of the plugin now has these
// capabilities, of those in mask.
func (p *place) holds(want, mask uint64) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.process()))
	if err == nil && len(files) == 0 {
		err = errors.New("the plugin is gone")
	}
	p.note(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, set := range []string{"CapPrm", "CapEff"} {
			_, after, _ := strings.Cut(string(text), set+":")
			hex, _, _ := strings.Cut(strings.TrimSpace(after), "\n")
			bits, err := strconv.ParseUint(hex, 16, 64)
			if err != nil || bits&mask != want {
				p.note(fmt.Errorf("%s is %s when the network is read, want %x of %x", set, hex, want, mask))
			}
		}
	}
}

// privileges are plugins with more rights than their caller.
func privileges() []scenario {
	const netRaw, every = 1 << unix.CAP_NET_RAW, ^uint64(0)
	named := func(want, mask uint64) breaker {
		return func(p *place) error {
			return resolver(func(q dnsmessage.Message) []byte {
				p.holds(want, mask)
				return addresses("10.2.0.1")(q)
			})(p)
		}
	}
	accepting := func(want, mask uint64) breaker {
		return func(p *place) error {
			return onPort("80", func(c net.Conn) {
				p.holds(want, mask)
				page(c)
			})(p)
		}
	}
	raw := asCopy("setcap cap_net_raw+ep")
	rawAndFiles := asCopy("setcap cap_net_raw,cap_dac_read_search,cap_dac_override+ep")
	secret := file("x.ini", "[x]\nfar = 10.2.0.1\n", 0o600)
	const unread, secretFile, web = "cannot be read by this user", "--extra-opts=x@{dir}/x.ini", "web=http://127.0.0.1/"
	return []scenario{
		up("cap_net_raw, unprivileged ICMP works: dropped", "-H", "a.example").as(raw).when(named(0, every)),
		up("cap_net_raw, no ICMP asked: dropped", "-H", web).as(raw).when(onlyRaw, accepting(0, every)),
		up("cap_net_raw, ICMP needs it: kept alone", "-H", "a.example").as(rawAndFiles).when(onlyRaw, named(netRaw, every)),
		up("root, no ICMP asked: cap_net_raw dropped", "-H", web).when(onlyRaw, accepting(0, netRaw)),
		misuse("cap_net_raw, a config file of root's", unread, secretFile).as(raw).when(secret),
		misuse("cap_dac_override too, a config file of root's", unread, secretFile).as(rawAndFiles).when(secret),
		misuse("setuid root", "setuid", one...).as(asCopy("chmod 4755")),
		misuse("setuid root, a config file of root's", "setuid", secretFile).as(asCopy("chmod 4755")).when(secret),
		misuse("setgid root", "setuid or setgid", one...).as(asCopy("chmod 2755")),
	}
}
