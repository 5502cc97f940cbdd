package plugin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jessevdk/go-flags"

	"checkvpn/pkg/nagios"
)

// go-flags finds the options and their values; what a value means is decided
// in plan.go. So its own messages, which fail on values with a % in them, are
// only met where an option is unknown or has no value, and its conversions,
// which take 010 for 8, are not used at all.

// Value is the text of an option that is given once; of several the last wins.
type Value struct {
	text string
	set  bool
}

// UnmarshalFlag takes any text.
func (v *Value) UnmarshalFlag(s string) error {
	*v = Value{s, true}
	return nil
}

// IsValidValue takes values that begin with a dash, as -w -5:10,20%.
func (*Value) IsValidValue(string) error { return nil }

// Set makes it as if the option had been given with the text s.
func (v *Value) Set(s string) { *v = Value{s, true} }

// String is the text of the option, empty where it was not given.
func (v Value) String() string { return v.text }

// Given tells whether the option was given, if only with an empty text.
func (v Value) Given() bool { return v.set }

// Values are the texts of an option that repeats.
type Values []string

// UnmarshalFlag takes any text.
func (v *Values) UnmarshalFlag(s string) error {
	*v = append(*v, s)
	return nil
}

// IsValidValue takes values that begin with a dash, to say what is wrong with them.
func (*Values) IsValidValue(string) error { return nil }

// options are those that all plugins have.
type options struct {
	Far      Values `short:"H" long:"far" value-name:"TARGET" unquote:"false" description:"behind the tunnel: does traffic pass? (--hostname too)"`
	Hostname Values `long:"hostname" value-name:"TARGET" unquote:"false" hidden:"true" description:"the same as --far"`
	Near     Values `long:"near" value-name:"TARGET" unquote:"false" description:"near gateway, before the tunnel: do I get as far as our own side?"`
	Peer     Values `long:"peer" value-name:"TARGET" unquote:"false" description:"public address of the far gateway, outside the tunnel: is the other end alive?"`
	Without  Values `long:"without" value-name:"ROLE" unquote:"false" description:"leave out targets of this role that a file names, as replication where each host has a check of its own; not far"`

	Environment Value  `short:"E" long:"environment" value-name:"NAME" unquote:"false" description:"integration, staging, production: stands in every first line"`
	Title       Value  `long:"title" value-name:"TEXT" unquote:"false" description:"a name of your own for the tunnel, in place of the plugin's: at most 30 characters"`
	Impact      Value  `long:"impact" value-name:"TEXT" unquote:"false" description:"what an outage means, in words of your own: at most 60 characters. The state stays as it is"`
	Contact     Values `long:"contact" value-name:"TEXT" unquote:"false" description:"whom to call, printed below the advice: at most 120 characters"`
	Runbook     Value  `long:"runbook" value-name:"URL" unquote:"false" description:"a page with a section for each cause, printed with #CAUSE behind it"`

	Warning  Value `short:"w" long:"warning" value-name:"RTA,PL%" default:"100,20%" unquote:"false" description:"WARNING at this round-trip average in ms, or this packet loss; a part with : @ or a tilde is a Nagios range"`
	Critical Value `short:"c" long:"critical" value-name:"RTA,PL%" default:"500,60%" unquote:"false" description:"CRITICAL at this average, or this packet loss, likewise"`
	Partial  Value `long:"partial" value-name:"STATE" default:"WARNING" unquote:"false" description:"state when traffic passes, but some far targets are silent or lose packets; OK if each is monitored on its own"`
	MinFar   Value `short:"m" long:"min-far" value-name:"N|N%" default:"1" unquote:"false" description:"how many far targets must answer for the tunnel to count as up"`

	MinPeer Value `long:"min-peer" value-name:"N" unquote:"false" description:"how many peers must answer: if fewer do while traffic passes, the tunnel is unprotected, WARNING (default: 0)"`

	Packets    Value `short:"n" long:"packets" value-name:"N" default:"5" unquote:"false" description:"echo requests to each icmp target"`
	MaxPackets Value `long:"max-packets" value-name:"N" unquote:"false" description:"echo requests to a host that the first ones leave a doubt about (default: 35 more than -n; at least 15 more)"`
	Interval   Value `short:"i" long:"interval" value-name:"MS" default:"15" unquote:"false" description:"milliseconds between echo requests"`
	Source     Value `short:"s" long:"source" value-name:"ADDR" unquote:"false" description:"source address towards what is behind the tunnel"`
	Interface  Value `short:"I" long:"interface" value-name:"INTERFACE" unquote:"false" description:"interface towards what is behind the tunnel"`
	DSCP       Value `long:"dscp" value-name:"0-63" unquote:"false" description:"code point of packets towards what is behind the tunnel"`
	Via        Value `long:"via" value-name:"INTERFACE|ADDR" unquote:"false" description:"packets to what is behind the tunnel must leave by this interface, or from this source address, else traffic is outside the tunnel: CRITICAL. It sees the routes of this host, not a policy of IPsec on it, nor what a gateway further along does"`
	MTU        Value `long:"mtu" value-name:"BYTES" unquote:"false" description:"whole IP packets of this size must pass to far targets in one piece, as echo requests: else CRITICAL, with the largest size that passes. 576 to 65535, 1280 at least for IPv6"`
	HTTPStatus Value `long:"http-status" value-name:"LIST" default:"200-299" unquote:"false" description:"statuses that count as an answer of http and https, as 200-299,401; a redirect that is listed is not followed"`
	IPv4       bool  `short:"4" long:"ipv4" description:"use IPv4 only"`
	IPv6       bool  `short:"6" long:"ipv6" description:"use IPv6 only"`

	Timeout   Value  `short:"t" long:"timeout" value-name:"SECONDS[:STATE]" default:"10" unquote:"false" description:"all is done and printed by then; STATE is used when time runs out before the first look is over"`
	HostCheck bool   `long:"host-check" description:"for a host check: exit 2 when the tunnel is down, whatever the impact, and 0 when it is not"`
	Perfdata  Value  `long:"perfdata" value-name:"all|totals" unquote:"false" description:"figures of each target, or of all together (default: all up to 20 targets)"`
	ExtraOpts Values `long:"extra-opts" value-name:"[SECTION][@FILE]" optional:"yes" optional-value:"" unquote:"false" description:"read options from a section of an INI file (default: the plugin's name)"`
	Output    Value  `short:"o" long:"output" value-name:"nagios|json|ticket|events|plan" default:"nagios" unquote:"false" description:"form of the output; a ticket is what to paste into one for a vendor, events are all that happens, a line of JSON each, for --replay and bug reports, and plan is the first of these lines, and sends nothing"`
	Replay    Value  `long:"replay" value-name:"FILE" unquote:"false" description:"judge what -o events printed, in place of the network; limits, hours and output of this command line hold"`
	Verbose   []bool `short:"v" long:"verbose" description:"more lines: packets, -vv the way they were sent, -vvv timing"`
	Explain   bool   `long:"explain" description:"send nothing, but tell what this check would do: targets, ways, permission, time, limits, odds of a false alarm, verdicts. Exits 3"`
	Version   bool   `short:"V" long:"version" description:"print the version"`
	Help      bool   `short:"h" long:"help" description:"print this help"`
}

// newParser knows the common options and the tunnel's own.
func newParser(t Tunnel, o *options) *flags.Parser {
	p := flags.NewNamedParser(t.program(), flags.PassDoubleDash)
	_, err := p.AddGroup("Options", "", o)
	if err == nil && t.Options != nil {
		_, err = p.AddGroup("Options of this tunnel", "", t.Options)
	}
	if err != nil {
		panic(err) // a tag is wrong: found by the first test
	}
	return p
}

// parse reads the command line and the files that it names. What comes from
// files stands before the command line, so that of single options the command
// line wins and repeatable ones add up. Beside an error inJSON tells whether JSON
// was asked for, as far as it was read.
func parse(t Tunnel, args []string) (o *options, inJSON bool, err error) {
	first := &options{}
	if err := parseInto(t, first, args); err != nil {
		return nil, look(args).json, err
	}
	if len(first.ExtraOpts) == 0 && !first.Replay.set {
		return first, false, nil
	}
	var all []string
	for _, spec := range first.ExtraOpts {
		fromFile, err := readExtraOpts(t, spec)
		all = append(all, fromFile...)
		if err != nil {
			return nil, look(append(all, args...)).json, err
		}
	}
	all = append(all, args...)
	if first.Replay.set {
		recorded, err := recordedArgs(t, first.Replay.text, all)
		if err != nil {
			return nil, look(all).json, BadValue("--replay", first.Replay.text, err)
		}
		all = recorded
	}
	both := &options{}
	return both, look(all).json, parseInto(t, both, all)
}

func parseInto(t Tunnel, o *options, args []string) error {
	left, err := newParser(t, o).ParseArgs(args)
	var wrong *flags.Error
	switch {
	case errors.As(err, &wrong):
		return explainFlag(t, wrong)
	case err != nil:
		return err
	case len(left) > 0:
		return fmt.Errorf("do not know what to do with the word %s: options begin with a dash, see -h", shown(left[0]))
	}
	return nil
}

// explainFlag repeats go-flags' message where no text of the user's can have
// been taken for a format.
func explainFlag(t Tunnel, e *flags.Error) error {
	switch e.Type {
	case flags.ErrUnknownFlag:
		_, name, _ := strings.Cut(strings.TrimSuffix(e.Message, "'"), "`")
		if len([]rune(name)) > 1 {
			name = "-" + name
		}
		if near := Nearest(strings.TrimLeft(name, "-"), longNames(t)); near != "" && len([]rune(name)) > 2 {
			return fmt.Errorf("unknown option -%s, did you mean --%s", shown(name), near)
		}
		return fmt.Errorf("unknown option -%s, see -h", shown(name))
	case flags.ErrExpectedArgument, flags.ErrNoArgumentForBool:
		return fmt.Errorf("%s, see -h", strings.Replace(nagios.Clean(e.Message, 100), "flag", "option", 1))
	}
	return errors.New("bad arguments, see -h")
}

// BadValue says that an option has a value that it cannot take, and why. The
// option is named as the user may write it, as "-t, --timeout".
func BadValue(option, value string, why error) error {
	return fmt.Errorf("bad value %s for %s: %w", shown(value), option, why)
}

// shown makes a value fit to stand in a message.
func shown(value string) string {
	quoted := strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "'")
	if value = nagios.Clean(withoutCredentials(value), 60); value == "" {
		return "(empty)"
	}
	if quoted { // a quote cannot be printed
		value += " (with quotes, which belong to the shell)"
	}
	return value
}

// withoutCredentials hides those of a URL, all between // and @: what should not
// have stood in the arguments must not stand in the output, too.
func withoutCredentials(value string) string {
	parts := strings.Split(value, "@")
	for i, part := range parts[:len(parts)-1] {
		if slashes := strings.LastIndex(part, "//"); slashes >= 0 && !strings.Contains(part[slashes+2:], "/") {
			parts[i] = part[:slashes] + "//..."
		}
	}
	return strings.Join(parts, "@")
}

// longNames are those of all options that a plugin has.
func longNames(t Tunnel) (names []string) {
	for _, g := range newParser(t, &options{}).Groups() {
		for _, o := range g.Options() {
			names = append(names, o.LongName)
		}
	}
	return names
}

// Nearest is the name that is at most two letters from what was written; empty if
// none is.
func Nearest(written string, names []string) (best string) {
	const most = 2
	for least, i := most+1, 0; i < len(names); i++ {
		if d := distance(written, names[i]); d < least {
			best, least = names[i], d
		}
	}
	return best
}

// distance is how many letters must be changed, added or left out to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(before+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
