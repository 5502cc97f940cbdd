package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"checkvpn/pkg/lab"
)

// noRoute removes the route to what is behind tun0.
var noRoute = tool("ip route del 10.2.0.0/16")

// route sets one that turns packets away: prohibit, unreachable or blackhole.
func route(kind string) breaker { return tool("ip route replace " + kind + " 10.2.0.0/16") }

// replaced leads what is behind tun0 to another device.
func replaced(by peer) breaker {
	return func(p *place) error { return p.connect("other0", by, behindTun0[0]) }
}

// firewall has nft drop what leaves by tun0, at once or after some bytes.
func firewall(after string) breaker {
	return tool("nft add table inet t; add chain inet t out { type filter hook output priority 0 ; }; add rule inet t out oifname tun0 " + after + " drop")
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
	interfaceGone = tool("ip link del tun0")
	interfaceDown = tool("ip link set tun0 down")
	addressGone   = tool("ip addr del " + lab.PairHost + "/32 dev tun0")
	// Every packet is too big to leave it.
	fullQueue = tool("tc qdisc replace dev tun0 root tbf rate 8kbit burst 10 limit 1500")
)

// inMemory starts a plugin in a memory control group of so many bytes, of the
// first version or the second. (A limit on address space would not do: Go's
// runtime reserves much more than it uses.)
func inMemory(bytes int) starter {
	return func(p *place, cmd *exec.Cmd) {
		parent, limit := "/sys/fs/cgroup/memory", "/memory.limit_in_bytes"
		if _, err := os.Stat(parent + limit); err != nil {
			parent, limit = "/sys/fs/cgroup", "/memory.max"
		}
		group, err := os.MkdirTemp(parent, "check-vpn-")
		p.note(errors.Join(err, os.WriteFile(group+limit, []byte(strconv.Itoa(bytes)), 0)))
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

// hosts are near hosts whose kernel sends nothing, or that are short of
// something.
func hosts() []scenario {
	tcp := words("-H tcp://10.2.0.1:5432")
	midRun := func(name string, do breaker, args ...string) scenario {
		return down(name+" in mid-run", append(args, long...)...).from(at(10, 0, do)).but("CRITICAL degraded", "loss")
	}
	fourteen := append(words("-m 14"), targets(14, "10.2.0.%d")...)
	closed, hundreds := targets(40, "tcp://10.2.1.%d:22"), targets(250, "10.2.1.%d")
	thousand := slices.Concat(hundreds, targets(250, "10.2.2.%d"), targets(250, "10.2.3.%d"), targets(250, "10.2.4.%d"))
	https := words("-H https://127.0.0.1/")
	files := func(n string) starter { return inShell("ulimit -n " + n) }
	const own, permission, descriptors = "an address of this host itself", "no permission to send ICMP", "no file descriptor"
	return []scenario{
		down("no route (ENETUNREACH)", one...).when(noRoute).without("nothing on the way answers"),
		down("prohibited by a route (EACCES)", one...).when(route("prohibit")).but("CRITICAL down", "prohibited by a route of this host"),
		down("unreachable by a route (EHOSTUNREACH)", one...).when(route("unreachable")).but("CRITICAL down", "no route to host"),
		down("unreachable by a route (EHOSTUNREACH), TCP", tcp...).when(route("unreachable")),
		down("blackholed by a route (EINVAL)", one...).when(route("blackhole")),
		down("blackholed by a route (EINVAL), TCP", tcp...).when(route("blackhole")).but("CRITICAL down", "blackholed by a route of this host"),
		down("dropped by nft (EPERM)", one...).when(firewall("")).without("tun0 counted"),
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
		midRun("route prohibited", route("prohibit")).but("CRITICAL degraded", "loss", "prohibited by a route of this host"),
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
		up("50 plugins at once", words("-w 20000,40% -c 20000,80% -n 3 -t 40 -H 10.2.0.1")...).times(50),
		down("20 plugins at once, a dead tunnel", one...).from(nobody).times(20),
	}
}
