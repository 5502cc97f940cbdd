package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What people feel: a real Icinga 2 that checks 200 tunnels, each every 10 s.
const (
	tunnels  = 200
	interval = 10 * time.Second
	warmUp   = interval
	window   = 2 * interval
)

// daemonConfig is all that Icinga needs. It writes a line for each result.
const daemonConfig = `
object CheckerComponent "checker" { }
object PerfdataWriter "results" {
  host_perfdata_path = "DIR/hosts"
  host_temp_path = "DIR/hosts.part"
  service_perfdata_path = "DIR/results"
  service_temp_path = "DIR/results.part"
  service_format_template = "$service.last_check$ $service.latency$ $service.state_id$"
  rotation_interval = 1s
}
object CheckCommand "check" { command = "PROGRAM" }
object Host "host" { check_command = "check", enable_active_checks = false }
for (n in range(TUNNELS)) {
  object Service "tunnel " + n use (n) {
    host_name = "host"
    check_command = "check"
    check_interval = INTERVAL
    retry_interval = INTERVAL
    vars.address = "198.18.1." + (n + 1)
  }
}
`

// held is what the daemon came to.
type held struct {
	checks         float64 // a second
	median, latest float64 // milliseconds from when a check was due to its start
	cpu            float64 // percent of one processor, with all that the daemon starts
}

// underIcinga has the daemon run a program. $address$ is the far address.
func (w *world) underIcinga(program string) (h held, err error) {
	dir, err := os.MkdirTemp(w.dir, "icinga-")
	if err != nil {
		return h, err
	}
	found, err := filepath.Glob("/usr/lib/*/icinga2/sbin/icinga2")
	if err != nil || len(found) != 1 {
		return h, fmt.Errorf("no Icinga 2: %v", err)
	}
	config := strings.NewReplacer("DIR", dir, "PROGRAM", program, "TUNNELS", fmt.Sprint(tunnels), "INTERVAL", fmt.Sprintf("%.0fs", interval.Seconds())).Replace(daemonConfig)
	if err := os.WriteFile(dir+"/icinga2.conf", []byte(config), 0o600); err != nil {
		return h, err
	}
	args := []string{"daemon", "--no-stack-rlimit", "-c", dir + "/icinga2.conf"}
	for _, name := range []string{"ConfigDir", "ZonesDir", "DataDir", "LogDir", "CacheDir", "SpoolDir", "InitRunDir"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return h, err
		}
		args = append(args, "-D", "Configuration."+name+"="+filepath.Join(dir, name))
	}
	args = append(args, "-D", "Configuration.PidPath="+dir+"/pid", "-D", "Configuration.RunAsUser=root", "-D", "Configuration.RunAsGroup=root")
	cmd := exec.Command(found[0], args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := w.Near.Start(cmd); err != nil {
		return h, err
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	time.Sleep(warmUp)
	from, before := time.Now(), groupTime(cmd.Process.Pid)
	time.Sleep(window)
	until, after := time.Now(), groupTime(cmd.Process.Pid)
	time.Sleep(2 * time.Second) // for the last line
	latencies, err := results(dir, from, until)
	if err != nil {
		return h, err
	}
	took := until.Sub(from).Seconds()
	return held{
		checks: float64(len(latencies)) / took,
		median: latencies[len(latencies)/2], latest: latencies[len(latencies)-1],
		cpu: 100 * (after - before).Seconds() / took,
	}, nil
}

// results are the latencies of the checks that ended between two times, in
// milliseconds, the least first.
func results(dir string, from, until time.Time) (latencies []float64, err error) {
	files, err := filepath.Glob(dir + "/results.*")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			var at int64
			var latency float64
			var state int
			if _, err := fmt.Sscan(line, &at, &latency, &state); err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			if at < from.Unix() || at >= until.Unix() {
				continue
			}
			if state != 0 {
				return nil, fmt.Errorf("a check of a healthy way came to state %d", state)
			}
			latencies = append(latencies, latency*1000)
		}
	}
	if len(latencies) == 0 {
		return nil, errors.New("nothing was checked by Icinga")
	}
	slices.Sort(latencies)
	return latencies, nil
}

// groupTime is the processor time of a group of processes, and of those that they
// have waited for.
func groupTime(group int) (sum time.Duration) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file) // it may have ended
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if len(fields) < 15 || fields[2] != strconv.Itoa(group) {
			continue
		}
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			ticks, _ := strconv.ParseInt(field, 10, 64)
			sum += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return sum
}
