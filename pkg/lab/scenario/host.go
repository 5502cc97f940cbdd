package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
)

// farNetwork is behind tun0, or behind a tunnel, seen from the near host.
var farNetwork = &net.IPNet{IP: net.IPv4(10, 2, 0, 0).To4(), Mask: net.CIDRMask(16, 32)}

// noRoute removes the routes to what is behind tun0.
func noRoute(p *place) error {
	return p.Do(func() error { return netlink.RouteDel(&netlink.Route{Dst: farNetwork}) })
}

// route sets a route that turns packets away.
func route(kind int) func(*place) error {
	return all(noRoute, func(p *place) error {
		return p.Do(func() error { return netlink.RouteAdd(&netlink.Route{Dst: farNetwork, Type: kind}) })
	})
}

// replaced leads what is behind tun0 to another device.
func replaced(by maker) func(*place) error {
	return all(noRoute, func(p *place) error { return p.connect("other0", by, behindTun0[0]) })
}

// firewall has nft drop what leaves by tun0, at once or after some bytes.
func firewall(after string) func(*place) error {
	return func(p *place) error {
		return p.run("nft", "add table inet t; add chain inet t out { type filter hook output priority 0 ; }; add rule inet t out oifname tun0 "+after+" drop")
	}
}

// fullQueue shapes tun0 so hard that every packet is too big to leave it.
var fullQueue = onLink(func(l netlink.Link) error {
	return netlink.QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       1000, Buffer: 156_250 /* of 64 ns: ten bytes */, Limit: 1500,
	})
})

// hanging makes a peer that reads nothing more, as a tunnel's daemon that hangs.
func hanging(p *place) peer {
	over := make(chan struct{})
	p.Defer(closer(func() error { close(over); return nil }))
	return func(wire, lab.Packet) { <-over }
}

// stuffed fills the queue of tun0 before the plugin runs.
func stuffed(p *place) error {
	return p.Do(func() error {
		conn, err := net.Dial("udp", "10.2.0.1:9")
		if err != nil {
			return err
		}
		defer conn.Close()
		for range 6000 {
			_, _ = conn.Write([]byte("x"))
		}
		return nil
	})
}

var (
	interfaceGone = onLink(netlink.LinkDel)
	interfaceDown = onLink(netlink.LinkSetDown)
	addressGone   = onLink(func(l netlink.Link) error {
		return netlink.AddrDel(l, &netlink.Addr{IPNet: &net.IPNet{IP: hostAddrs[0].AsSlice(), Mask: net.CIDRMask(32, 32)}})
	})
)

// inMemory starts a plugin in a memory control group of so many bytes, of the
// first version or the second. (A limit on address space would not do: Go's
// runtime reserves much more than it uses.)
func inMemory(bytes int) func(*place, *exec.Cmd) {
	return func(p *place, cmd *exec.Cmd) {
		group, err := memoryGroup(bytes)
		p.note(err)
		p.undo(func() (err error) {
			for range 100 { // which takes the kernel a moment
				if err = os.Remove(group); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			return err
		})
		inShell("echo $$ > "+group+"/cgroup.procs")(p, cmd)
	}
}

func memoryGroup(bytes int) (string, error) {
	var errs []error
	for parent, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		dir, err := os.MkdirTemp(parent, "check-vpn-")
		if err == nil {
			// Not made if it is not there: where the first version is mounted below, the
			// parent of all is a plain folder.
			limit, failed := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
			if failed == nil {
				_, failed = limit.WriteString(strconv.Itoa(bytes))
				limit.Close()
			}
			if failed == nil {
				return dir, nil
			}
			err = errors.Join(failed, os.Remove(dir))
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("no memory control group: %w", errors.Join(errs...))
}

// hosts are near hosts whose kernel sends nothing, or that are short of
// something.
func hosts() []scenario {
	tcp := words("-H tcp://10.2.0.1:5432")
	midRun := func(name string, do func(*place) error, args ...string) scenario {
		return down(name+" in mid-run", append(args, long...)...).from(at(10, 0, do)).but("CRITICAL degraded", "loss")
	}
	counted := down("dropped by nft (EPERM)", one...).when(firewall(""))
	counted.not = "tun0 counted"
	unsent := down("no route (ENETUNREACH)", one...).when(noRoute)
	unsent.not = "nothing on the way answers"
	fourteen := append(words("-m 14"), targets(14, "10.2.0.%d")...)
	closed, hundreds := targets(40, "tcp://10.2.1.%d:22"), targets(250, "10.2.1.%d")
	thousand := slices.Concat(hundreds, targets(250, "10.2.2.%d"), targets(250, "10.2.3.%d"), targets(250, "10.2.4.%d"))
	https := words("-H https://127.0.0.1/")
	copies := up("50 plugins at once", words("-w 20000,40% -c 20000,80% -n 3 -t 40 -H 10.2.0.1")...)
	copies.copies = 50
	deadCopies := down("20 plugins at once, a dead tunnel", one...).from(nobody)
	deadCopies.copies = 20
	files := func(n string) func(*place, *exec.Cmd) { return inShell("ulimit -n " + n) }
	const own, permission, descriptors = "an address of this host itself", "no permission to send ICMP", "no file descriptor"
	return []scenario{
		unsent,
		down("prohibited by a route (EACCES)", one...).when(route(unix.RTN_PROHIBIT)).but("CRITICAL down", "prohibited by a route of this host"),
		down("unreachable by a route (EHOSTUNREACH)", one...).when(route(unix.RTN_UNREACHABLE)).but("CRITICAL down", "no route to host"),
		down("unreachable by a route (EHOSTUNREACH), TCP", tcp...).when(route(unix.RTN_UNREACHABLE)),
		down("blackholed by a route (EINVAL)", one...).when(route(unix.RTN_BLACKHOLE)),
		down("blackholed by a route (EINVAL), TCP", tcp...).when(route(unix.RTN_BLACKHOLE)).but("CRITICAL down", "blackholed by a route of this host"),
		counted,
		silent("dropped by nft (EPERM), TCP", tcp...).when(firewall("")),
		down("dropped by nft (EPERM), IKE", words("-H ike://10.2.0.1")...).when(firewall("")),
		down("send queue full (ENOBUFS)", one...).when(fullQueue).but("UNKNOWN failed", "send queue full").within(3),
		down("interface down", one...).when(interfaceDown),
		down("interface never there, with -I", words("-H 10.2.0.1 -I gone0")...),
		down("source address never there, with -s", words("-H 10.2.0.1 -s 10.9.9.9")...),
		down("a tunnel whose daemon hangs", one...).from(hanging).when(stuffed),

		midRun("interface gone", interfaceGone).but("CRITICAL degraded", "loss", "network unreachable"),
		midRun("interface gone, with -I,", interfaceGone, "-I", "tun0"),
		midRun("interface down", interfaceDown),
		midRun("address gone, with -s,", addressGone, "-s", lab.PairHost),
		midRun("route prohibited", route(unix.RTN_PROHIBIT)).but("CRITICAL degraded", "loss", "prohibited by a route of this host"),
		midRun("send queue full", fullQueue).but("OK up"),
		midRun("route replaced by a silent one", replaced(nobody)),
		midRun("route replaced by one that answers, with --via,", replaced(answers), "--via", "tun0").but("CRITICAL bypassed", "outside the tunnel"),
		midRun("permission for ICMP lost", onlyRaw).but("OK up"),
		down("dropped by nft in mid-run", long...).when(firewall("quota over 1000 bytes")).but("CRITICAL degraded", "loss"),

		misuse("an address of this host", own, words("-H 10.1.0.20")...),
		misuse("an address of this host by TCP, IPv6", own, words("-H tcp://[fd00:1::20]:22")...),
		misuse("no permission for ICMP", permission, one...).when(onlyRaw).as(asNobody),
		misuse("no permission for ICMP, IPv6", permission, one6...).when(onlyRaw).as(asNobody),
		silent("no permission for ICMP, a far target by TCP", tcp...).when(onlyRaw).as(asNobody),
		up("permission for raw ICMP alone", one...).when(onlyRaw),
		up("permission for raw ICMP alone, IPv6", one6...).when(onlyRaw),

		up("16 file descriptors", fourteen...).as(files("16")),
		up("16 file descriptors, raw ICMP", fourteen...).as(files("16")).when(onlyRaw),
		up("16 file descriptors, names", targets(14, "m%d.example")...).as(files("16")).when(resolver(addresses("10.2.0.1"))),
		up("16 file descriptors, TLS", https...).as(files("16")).when(pageOver(good)),
		down("16 file descriptors, a dead tunnel", fourteen...).as(files("16")).from(nobody),
		down("16 file descriptors, 40 dead targets by TCP", closed...).as(files("16")).from(nobody),
		down("64 file descriptors, 250 dead targets", hundreds...).as(files("64")).from(nobody),
		down("6 file descriptors", fourteen...).as(files("6")).but("UNKNOWN .*", descriptors),
		down("6 file descriptors, a dead tunnel by TCP", closed...).as(files("6")).from(nobody).but("UNKNOWN .*", descriptors),
		down("1,000 targets, a dead tunnel", thousand...).from(nobody).within(15),
		up("64 MiB of memory", fourteen...).as(inMemory(64 << 20)),
		down("64 MiB of memory, an endless header", words("-H web=http://127.0.0.1/")...).as(inMemory(64 << 20)).but("CRITICAL refused").
			when(onPort("80", endlessHeader)),
		misuse("64 MiB of memory, a file of 100 MB", "larger than 1 MiB", words("--extra-opts=x@{dir}/x.ini")...).as(inMemory(64 << 20)).when(bigFile),
		copies, deadCopies,
	}
}
