package main

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// Arguments and files of options by chance, some of them sensible. Whatever they
// are, a plugin ends with an exit code from 0 to 3, an output of the right form and
// nothing on stderr. It runs where nobody but loopback answers, so that only who
// asks that may hear OK.

// choices are options, and values that a trial draws from.
var choices = map[string][]string{
	"-H":              {"127.0.0.1", "::1", "x=127.0.0.1", "x/g=::1", "tcp://127.0.0.1:1", "http://[::1]/a?b", "https://127.0.0.1", "ike://127.0.0.1", "10.9.9.9", "fe80::1%lo", "http://u:p@h/", "256.1.1.1", "http://127.0.0.1/%zz", "x=y=z"},
	"--near":          {"127.0.0.1", "near=10.9.9.9", "tcp://127.0.0.1:1"},
	"--peer":          {"ike://127.0.0.1", "127.0.0.1", "peer=10.9.9.9"},
	"--service":       {"tcp://127.0.0.1:1", "s=https://127.0.0.1/"},
	"--replication":   {"tcp://127.0.0.1:1", "r=tcp://[::1]:2"},
	"--public":        {"http://127.0.0.1/", "p=http://[::1]/"},
	"-E":              {"production", "a b", strings.Repeat("e", 33)},
	"-w":              {"100,20%", "@1:2,~:60%", "100", "1,2", "nan,1%", "1e9,20%", ":,%", "5:1,20%", "%s%n,20%"},
	"-c":              {"500,60%", "0:5000,60%", "1,0%", "-5:10,20%"},
	"-m":              {"1", "0", "100%", "101%", "99", "-1"},
	"-n":              {"1", "5", "1000", "0", "010", "0x5"},
	"--max-packets":   {"15", "20", "21", "40", "1015", "2000", "1"},
	"--min-peer":      {"0", "1", "2", "-1", "1e3"},
	"--http-status":   {"200-299", "401", "200-299,401", "999-1", ",", "100-599", "0"},
	"--replay":        {"{dir}/x.ini", "/dev/zero", "/nowhere", ""},
	"-i":              {"1", "20", "60000", "1.5"},
	"-s":              {"127.0.0.1", "10.9.9.9", "::1", "0.0.0.0", "nobody"},
	"-I":              {"lo", "gone0", strings.Repeat("i", 16), "a/b"},
	"--dscp":          {"0", "63", "64", "46"},
	"--via":           {"lo", "127.0.0.1", "gone0", "::"},
	"--mtu":           {"576", "1400", "65535", "9"},
	"-4":              nil,
	"--ipv6":          nil,
	"-t":              {"1", "2", "3:OK", "1:WARNING", "0", "abc", "99999", "1s", ""},
	"--host-check":    nil,
	"--perfdata":      {"all", "totals", "none"},
	"--extra-opts":    {"", "x", "@", "x@{dir}/x.ini", "x@/dev/null", "@/dev/zero", "x@x@x"},
	"-o":              {"json", "nagios", "events", "plan", "xml"},
	"-vvv":            nil,
	"--office-hours":  {"always", "never", "Mon-Fri 09:00-17:00", "Foo"},
	"--timezone":      {"Europe/London", "UTC", "../../etc/passwd", "Local"},
	"--bank-holidays": {"/dev/null", "{dir}/x.ini", "/proc/self/environ"},
	"--division":      {"scotland", "england-and-wales"},
	"-h":              nil,
	"-V":              nil,
	"--":              nil,
	"--nothing":       nil,
	"--h\x1b[m":       nil,
	"-":               nil,
}

var optionNames = slices.Sorted(maps.Keys(choices)) // else the map's chance would have a part in it

// dice draw from choices.
type dice struct{ *rand.Rand }

func (d dice) of(list ...string) string { return list[d.IntN(len(list))] }

// option draws one, with its value or with hostile text or bytes in its place.
func (d dice) option() (name, value string) {
	name = d.of(optionNames...)
	if values := choices[name]; values != nil {
		value = d.of(values...)
	}
	switch d.IntN(16) {
	case 0:
		value = d.of(hostileText, "%s%d%n", strings.Repeat("9", 400), "--", "=", "|", "\"x", "\\", "\u202e", "١٢٣")
	case 1:
		b := make([]byte, d.IntN(60))
		for i := range b {
			b[i] = byte(1 + d.IntN(255)) // no argument can hold the zero byte
		}
		value = string(b)
	}
	return name, value
}

// trial draws arguments, and the files that they may name.
func trial(seed uint64, number int) scenario {
	d := dice{rand.New(rand.NewPCG(seed, uint64(number)))}
	args := []string{"-H", d.of("127.0.0.1", "::1", "tcp://127.0.0.1:1", "http://127.0.0.1/", "10.9.9.9", "localhost", "a.example")}
	var ini strings.Builder
	ini.WriteString(d.of("", "", "\ufeff", "# c\r\n", "\x00", "=\n") + d.of("[x]", "[x]", "[x", "[ x ]\r") + "\n")
	for range 1 + d.IntN(6) {
		name, value := d.option()
		switch {
		case d.IntN(4) == 0:
			ini.WriteString(strings.TrimLeft(name, "-") + d.of("=", " = ", "", "\t=") + value + d.of("\n", "\r\n", "\n\n"))
		case strings.HasPrefix(name, "--") && value != "":
			args = append(args, name+"="+value)
		default:
			args = append(args, name, value)
		}
	}
	if d.IntN(4) == 0 {
		args = append(args, "--extra-opts=x@{dir}/x.ini")
	}
	s := scenario{name: fmt.Sprintf("number %d", number), args: args, seconds: 2, want: ".*"}
	// A host check of what is not down is OK whatever else is wrong.
	if text := strings.Join(args, "\n") + ini.String(); !mayBeOK(text) {
		s.want = "(WARNING|CRITICAL|UNKNOWN).*"
	}
	return s.when(file("x.ini", ini.String(), 0o644))
}

// mayBeOK tells whether somebody is asked who answers: loopback.
func mayBeOK(text string) bool {
	return slices.ContainsFunc([]string{"127.0.0.", "::1", "localhost", "host-check"}, func(s string) bool { return strings.Contains(text, s) })
}

// runRandom runs so many trials, and prints what is wrong.
func runRandom(out io.Writer, count int, seed uint64) (wrong int, err error) {
	if seed == 0 {
		seed = rand.Uint64()
	}
	var list []scenario
	for number := range count {
		list = append(list, trial(seed, number))
	}
	fmt.Fprintf(out, "%d random argument lists, of -seed %d\n", count, seed)
	return run(out, list, options{quiet: true})
}
