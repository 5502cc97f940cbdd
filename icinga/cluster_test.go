package icinga_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// mercy is how long a master that has just started does not hold it against a
// satellite that it is not connected.
const mercy = 5 * time.Minute

// hurried is the environment of a master whose clock jumps on by what is put into
// the file. No test waits for its mercy.
func hurried(t *testing.T, file string) []string {
	t.Helper()
	library, err := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	if err != nil || len(library) != 1 {
		t.Fatalf("no library for a clock that jumps: %v", err)
	}
	write(t, file, "+0")
	return []string{"LD_PRELOAD=" + library[0], "FAKETIME_TIMESTAMP_FILE=" + file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"}
}

// bySection has the satellite read the file that people on SSH read.
const bySection = `
object Service "section" {
  host_name = "monitoring-production"
  check_command = "vpn_dr"
  command_endpoint = "monitoring-production"
  check_interval = 1d
  vars.vpn_extra_opts = "dr-production"
}
`

// TestCluster runs exactly these files, zones.conf included: the master at the
// gateway of production, the satellite at its monitoring machine, where the
// tunnels are.
func TestCluster(t *testing.T) {
	t.Parallel()
	w := seven(t)
	dr := w.VPN(lab.DR, "production")
	env := environment(t, w)

	master := newIcinga2(t, "master", dr.Near.Gateway, 5665, nil)
	master.configure(t, strings.ReplaceAll(master.bare("/nowhere"), "const ZoneName = NodeName", `const ZoneName = "master"`)+
		master.cluster(t, true)+master.api())
	write(t, master.path("etc/zones.d/master/section.conf"), bySection)
	satellite := newIcinga2(t, "monitoring-production", dr.Near.Node, 5665, master)
	satellite.configure(t, satellite.bare(pluginDir(t))+satellite.cluster(t, false)+satellite.api())
	// The master has no plugins: whatever is checked is checked by the satellite.
	satelliteProcess := satellite.start(t, env)
	clock := master.path("clock")
	master.start(t, append(hurried(t, clock), env...))

	const (
		tunnel     = "monitoring-production!VPN dr-production"
		connection = "monitoring-production!satellite"
	)
	eventually(t, "the satellite is connected", limit, func() bool { return master.checkNow(t, "services", connection).State == 0 })
	var got checked
	eventually(t, "the satellite's commands", limit, func() bool {
		got = master.checkNow(t, "services", tunnel)
		return got.State == 0
	})
	if got.Result.Source != "monitoring-production" || !strings.HasPrefix(got.Result.Output, "OK: production DR VPN up: 18 of 18 hosts answer") {
		t.Errorf("%+v", got.Result)
	}
	// A section of the file of tunnels comes to the same as by hand.
	section := exec.Command(filepath.Join(plugins, "check_vpn_dr"), "--extra-opts=dr-production")
	section.Env = env
	hand, err := dr.Near.Run(section)
	if err != nil {
		t.Fatal(err)
	}
	got = master.checkNow(t, "services", "monitoring-production!section")
	text, _, _ := strings.Cut(hand.Stdout, " | ")
	if strings.TrimSpace(firstLine(got.Result.Output)) != firstLine(text) || got.State != float64(hand.Code) {
		t.Errorf("by the agent %v, %s, by hand %d, %s", got.State, got.Result.Output, hand.Code, hand.Stdout)
	}
	// As a host check: up, and down where the service says WARNING.
	const licensing = "licensing-production"
	if host := master.checkNow(t, "hosts", licensing); host.State != 0 || host.Result.Source != "monitoring-production" {
		t.Errorf("host %s: %+v", licensing, host)
	}
	w.Internet.SetBoth(dr.Near, w.VPN(lab.Licensing, "production").Far, lab.Conditions{Cut: true})
	if host := master.checkNow(t, "hosts", licensing); host.State != 1 || !strings.HasPrefix(host.Result.Output, "WARNING: ") {
		t.Errorf("host %s behind a dead tunnel: %+v, %+v", licensing, host, host.Result)
	}
	if service := master.checkNow(t, "services", "monitoring-production!VPN "+licensing); service.State != 1 {
		t.Errorf("service of %s: %+v", licensing, service.Result)
	}

	kill(satelliteProcess)
	killed := time.Now()
	write(t, clock, fmt.Sprintf("+%.0f", (mercy+10*time.Second).Seconds()))
	eventually(t, "the satellite's service is CRITICAL", limit, func() bool { return master.object(t, "services", connection).State == 2 })
	t.Logf("%.0f s from the satellite's end to CRITICAL", time.Since(killed).Seconds())
	for _, gone := range []struct{ kind, name string }{{"services", tunnel}, {"hosts", "dr-production"}} {
		eventually(t, gone.name+" is no longer OK, and unreachable", limit, func() bool {
			got = master.object(t, gone.kind, gone.name)
			return got.State != 0 && !got.Reachable
		})
		t.Logf("%.0f s from the satellite's end to %s: state %v, unreachable: %s", time.Since(killed).Seconds(), gone.name, got.State, got.Result.Output)
	}
}

// kill ends a daemon and all that it has started, at once.
func kill(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
