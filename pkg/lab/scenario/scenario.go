// Command scenario has one table of what can be wrong with a VPN, with the host
// that checks it, and with far ends that mean harm. It breaks a real tunnel, or
// whatever it is, runs a built plugin there, and prints what it said beside what it
// should have said.
//
// A plugin that starts well ends by itself, with an exit code from 0 to 3, nothing
// on stderr, and an output of the right form. No row has times that it must keep,
// and none is decided by chance: packets are lost by counting, and what happens in
// mid-run happens at a packet. A busy host makes the rows slow, and not wrong.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/plugin/script"
)

// scenario is one state of a place, a command there, and what is wanted of it.
type scenario struct {
	name   string
	over   []string // the ways between near and far: kinds of tunnel, or sections of check_vpn.ini; none: a plain link
	peer   peer     // who is at the far end of a plain link; nil: answers
	breaks breaker  // nil: nothing

	program   string   // check_vpn_dr over a tunnel, each plugin in turn over a plain link
	args      []string // {dir} is the place's folder
	atGateway bool     // the command runs at the near gateway, not at the host behind it
	start     starter  // is odd about how the plugin is started
	during    breaker  // happens while it runs
	copies    int      // how many at once; 1 if it is 0
	seconds   int      // -t; 10 if it is 0

	want string   // a regular expression for state and cause; the state alone if nobody can read the output
	says []string // words of the output
	not  string   // words that it must not have
}

// The ways between near and far, beside the sections of check_vpn.ini.
const link = "link" // without a tunnel

var each = []string{"wireguard", "ipsec", "openvpn"}

// selections of the table, by name.
var selections = []struct {
	name string
	rows func() []scenario
}{{"demo", demo}, {"verdicts", verdicts}, {"faults", faults}}

// chosen are the scenarios of these selections, or all.
func chosen(names ...string) (list []scenario) {
	for _, s := range selections {
		if len(names) == 0 || slices.Contains(names, s.name) {
			list = append(list, s.rows()...)
		}
	}
	return list
}

func faults() []scenario {
	return slices.Concat(farEnds(), names(), servers(), hosts(), starts(), files(), privileges())
}

// verdict is what one run of a plugin said, as a person reads it.
type verdict struct {
	lab.Result
	state, cause string
}

func (v verdict) String() string { return strings.TrimSpace(v.state + " " + v.cause) }

var (
	causeLine = regexp.MustCompile(`(?m)^Cause: ([a-z-]+)`)
	states    = []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}
)

// read finds the cause in an output. Without one a check was well, or its arguments
// were not.
func read(r lab.Result) verdict {
	v := verdict{Result: r, state: "exit code " + fmt.Sprint(r.Code)}
	if r.Code >= 0 && r.Code < len(states) {
		v.state = states[r.Code]
	}
	var report struct{ Cause string }
	switch m := causeLine.FindStringSubmatch(r.Stdout); {
	case r.Stdout == "":
	case json.Unmarshal([]byte(lastLine(r.Stdout)), &report) == nil:
		v.cause = report.Cause
	case m != nil:
		v.cause = m[1]
	default:
		v.cause = map[string]string{"OK": "up", "UNKNOWN": "misuse"}[v.state]
	}
	return v
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndex(text, "\n")+1:]
}

// wrong tells what is wrong with the end of a plugin.
func (s scenario) wrong(v verdict) (all []string) {
	if ok, err := regexp.MatchString("^(?:"+s.want+")$", v.String()); err != nil || !ok {
		all = append(all, "it should be "+s.want)
	}
	if v.Stderr != "" {
		all = append(all, fmt.Sprintf("on stderr: %.300q", v.Stderr))
	}
	for line := range strings.Lines(v.Stdout) {
		if strings.HasPrefix(v.Stdout, "{") && !json.Valid([]byte(line)) {
			all = append(all, fmt.Sprintf("not JSON: %.300q", line))
		}
	}
	if v.Stdout != "" {
		if err := script.Valid(v.Stdout, v.Code); err != nil {
			all = append(all, err.Error())
		}
	}
	for _, words := range s.says {
		if !strings.Contains(v.Stdout, words) {
			all = append(all, fmt.Sprintf("it does not say %q", words))
		}
	}
	if s.not != "" && strings.Contains(v.Stdout, s.not) {
		all = append(all, fmt.Sprintf("it says %q", s.not))
	}
	if all != nil {
		all = append(all, fmt.Sprintf("%.500s", v.Stdout))
	}
	return all
}

// A row begins with one of these, and may be changed.

func up(name string, args ...string) scenario { return scenario{name: name, args: args, want: "OK up"} }

func down(name string, args ...string) scenario {
	return scenario{name: name, args: args, want: "CRITICAL down"}
}

// silent is down, with a short -t: who is asked by a connection may answer until then.
func silent(name string, args ...string) scenario { return down(name, args...).within(5) }

func misuse(name, says string, args ...string) scenario {
	return scenario{name: name, args: args, want: "UNKNOWN misuse", says: []string{says}}
}

// Each of these is the row with another value of a field, whose comment says what it
// is for.

func (s scenario) but(want string, says ...string) scenario { s.want, s.says = want, says; return s }
func (s scenario) when(breaks ...breaker) scenario          { s.breaks = all(breaks...); return s }
func (s scenario) from(peer peer) scenario                  { s.peer = peer; return s }
func (s scenario) as(start starter) scenario                { s.start = start; return s }
func (s scenario) without(words string) scenario            { s.not = words; return s }
func (s scenario) with(args ...string) scenario             { s.args = slices.Concat(s.args, args); return s }
func (s scenario) times(copies int) scenario                { s.copies = copies; return s }
func (s scenario) by(program string) scenario               { s.program = program; return s }
func (s scenario) across(ways ...string) scenario           { s.over = ways; return s }
func (s scenario) nearGateway() scenario                    { s.atGateway = true; return s }
func (s scenario) while(does breaker) scenario              { s.during = does; return s }
func (s scenario) within(seconds int) scenario              { s.seconds = seconds; return s }

// words cuts a line of arguments.
func words(line string) []string { return strings.Fields(line) }

// command are the program and its arguments, for the row of this number.
func (s scenario) command(number int) (program string, args []string) {
	switch {
	case s.over == nil:
		// They judge alike: an outage is CRITICAL at any hour.
		program = cmp.Or(s.program, plugins[number%len(plugins)])
		args = append(words("-E production -w 0:1000,20% -c 0:1000,60% -t"), fmt.Sprint(cmp.Or(s.seconds, 10)))
		if program == "check_vpn_office" {
			args = append(args, "--office-hours", "never")
		}
	case s.isTunnel():
		program, args = cmp.Or(s.program, "check_vpn_dr"), words("-E production -w 400,20% -c 500,60% -o events")
	default:
		program = s.program
	}
	return program, append(args, s.args...)
}

func (s scenario) isTunnel() bool { return s.over != nil && slices.Contains(each, s.over[0]) }
