package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"checkvpn/pkg/plugin/script"
)

// row is a fault and what each plugin must make of it.
type row struct {
	name string
	args []string // {dir} is the room's folder

	peer   maker                              // nil: answers
	rig    func(*room) error                  // makes the fault, before the plugin runs
	odd    func(*room, *exec.Cmd)             // is odd about how the plugin is started
	during func(*room, *process) error        // happens while it runs
	ends   func(*room, *process) (why string) // must hold besides, at the end

	code    int // exit code
	cause   string
	says    string        // words of the output
	seconds int           // -t; where it is 0, 3 if nobody answers and 10 if somebody does
	paused  time.Duration // for so long it does not run: UNKNOWN will do then, but no alarm
	copies  int           // how many plugins at once; 1 where it is 0
	alone   bool          // no other row may run at the same time
	mute    bool          // nobody can read what the plugin prints
}

// Exit codes.
const (
	ok = iota
	warning
	critical
	unknown
)

// usual are arguments of every row. On a busy machine an echo reply may take
// long without any fault of the network's.
var usual = words("-E production -w 0:1000,20% -c 0:1000,60%")

// plugins and the arguments that make them judge alike: an outage is CRITICAL
// at any hour.
var plugins = []struct {
	name string
	args []string
}{
	{"check_vpn_office", []string{"--office-hours", "never"}},
	{"check_vpn_dr", nil},
	{"check_vpn_licensing", nil},
}

// late is how much longer than -t a plugin may take: that is the machine's.
const late = 500 * time.Millisecond

func (r row) timeout() time.Duration { return time.Duration(r.seconds) * time.Second }

// withDefaults fills in what a row leaves out.
func (r row) withDefaults() row {
	if r.peer == nil {
		r.peer = answers
	}
	switch {
	case r.seconds != 0:
	case r.code == ok, r.cause == "refused", r.cause == "misuse": // known at once, unless the machine is busy
		r.seconds = 10
	default:
		r.seconds = 3
	}
	r.copies = max(r.copies, 1)
	return r
}

// words cuts a line of arguments.
func words(line string) []string { return strings.Fields(line) }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// result is what one plugin made of a row.
type result struct {
	code    int
	cause   string
	took    time.Duration
	wrong   []string
	grave   bool  // what is wrong cannot come from a machine that is too busy
	harness error // the row could not be played
}

// headlines are what line 1 says of each cause.
var headlines = map[string]*regexp.Regexp{
	"misuse":        regexp.MustCompile(`^UNKNOWN: `),
	"failed":        regexp.MustCompile(`^UNKNOWN: .*(stopped by a signal|the time of -t ran out|could not be asked|no file descriptor is free|send queue full|the recording ends)`),
	"refused":       regexp.MustCompile(` VPN down: .*refuse`),
	"resolver-down": regexp.MustCompile(` VPN down: cannot resolve any far host`),
	"peer-down":     regexp.MustCompile(` VPN down: far gateway unreachable`),
	"tunnel-down":   regexp.MustCompile(` VPN down: .* not answer, (the far gateway is|both gateways are) up`),
	"down":          regexp.MustCompile(` VPN down: .* answer(, far gateway not checked|\. )`),
	"bypassed":      regexp.MustCompile(` VPN bypassed: `),
	"degraded":      regexp.MustCompile(` VPN degraded: `),
	"partial":       regexp.MustCompile(` VPN up, but .* (silent|refuses?|loses?)\b`),
	"filtered":      regexp.MustCompile(` VPN up, but filtered: `),
	"too-few":       regexp.MustCompile(` VPN down: .* hosts answers?, [0-9]+ must`),
	"up":            regexp.MustCompile(` VPN up: `),
}

// play has one plugin meet the fault. The text has the form to check, and line 1
// tells the cause; of the three plugins one, in turn, is asked for JSON too,
// where the cause stands by its name.
func (r row) play(t *tools, i int) result {
	var texts, objects result
	var both sync.WaitGroup
	both.Go(func() { texts = r.playOnce(t, i, false) })
	if (len(r.name)+i)%len(plugins) == 0 && !r.mute {
		both.Go(func() {
			single := r
			single.copies = 1
			objects = single.playOnce(t, i, true)
		})
	}
	both.Wait()
	texts.took = max(texts.took, objects.took)
	texts.wrong, texts.grave = append(texts.wrong, objects.wrong...), texts.grave || objects.grave
	if texts.harness == nil {
		texts.harness = objects.harness
	}
	return texts
}

func (r row) playOnce(t *tools, i int, asJSON bool) (res result) {
	room, err := newRoom(t)
	if err != nil {
		return result{harness: err}
	}
	defer room.close()
	if res.harness = room.connect("tun0", r.peer(room), farNetwork...); res.harness != nil {
		return res
	}
	if r.rig != nil {
		if res.harness = r.rig(room); res.harness != nil {
			return res
		}
	}
	args := slices.Concat(usual, []string{"-t", fmt.Sprint(r.seconds)}, plugins[i].args)
	for _, a := range r.args {
		args = append(args, strings.ReplaceAll(a, "{dir}", room.dir))
	}
	if asJSON {
		args = append(args, "-o", "json")
	}
	processes := make([]*process, r.copies)
	for n := range processes {
		if processes[n], res.harness = room.start(filepath.Join(t.plugins, plugins[i].name), args, r.odd); res.harness != nil {
			return res
		}
	}
	if r.during != nil {
		if res.harness = r.during(room, processes[0]); res.harness != nil {
			return res
		}
	}
	for _, p := range processes {
		if res.harness = p.wait(r.timeout() + r.paused); res.harness != nil {
			return res
		}
		r.check(p, asJSON, &res)
	}
	if res.harness = room.failure(); res.harness != nil {
		return res
	}
	if r.ends != nil {
		if why := r.ends(room, processes[0]); why != "" {
			res.wrong = append(res.wrong, why)
		}
	}
	return res
}

// check holds one plugin's end against the row.
func (r row) check(p *process, asJSON bool, res *result) {
	wrong := func(format string, args ...any) { res.wrong = append(res.wrong, fmt.Sprintf(format, args...)) }
	grave := func(format string, args ...any) { wrong(format, args...); res.grave = true }
	stdout := p.stdout.String()
	res.code, res.took = p.code, max(res.took, p.took)
	switch {
	case r.paused > 0 && p.code == unknown && strings.Contains(stdout, "the time of -t ran out"):
		res.cause = "failed"
		return
	case p.code == ok && r.code != ok, p.code < ok, p.code > unknown:
		grave("exit code %d: %.300s", p.code, stdout)
	case p.code != r.code:
		wrong("exit code %d: %.300s", p.code, stdout)
	}
	if limit := r.timeout() + r.paused + late; p.took > limit {
		wrong("took %.2f s", p.took.Seconds())
	}
	if p.stderr.Len() > 0 {
		grave("on stderr: %.300q", p.stderr.String())
	}
	switch {
	case r.mute:
	case asJSON:
		var said struct{ Cause, Summary string }
		if err := json.Unmarshal(p.stdout.Bytes(), &said); err != nil {
			grave("not one JSON object: %.300q", stdout)
		}
		if said.Cause != r.cause {
			wrong("cause %s: %s", said.Cause, said.Summary)
		}
	default:
		line, _, _ := strings.Cut(stdout, "\n")
		if err := script.Valid(stdout, p.code); err != nil {
			grave("%v", err)
		}
		if res.cause = r.cause; !headlines[r.cause].MatchString(line) {
			res.cause = "another"
			wrong("line 1 does not tell %s: %s", r.cause, line)
		}
		if !strings.Contains(stdout, r.says) {
			wrong("it does not say %q: %.300s", r.says, stdout)
		}
	}
}

// from is the row with another peer.
func (r row) from(peer maker) row {
	r.peer = peer
	return r
}

// as is the row with something odd about how the plugin is started.
func (r row) as(odd func(*room, *exec.Cmd)) row {
	r.odd = odd
	return r
}
