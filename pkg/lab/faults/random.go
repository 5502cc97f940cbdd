package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"checkvpn/pkg/plugin/script"
)

// Arguments and files of options by chance, some of them sensible. Whatever
// they are, a plugin ends within -t with an exit code from 0 to 3, one valid
// first line and nothing on stderr. It runs where there is a loopback only, so
// that only who asks that may hear OK.

// trial is one argument list, with the files that it names.
type trial struct {
	number  int
	plugin  int
	args    []string
	ini     string
	file    string        // where the ini is
	timeout time.Duration // the longest -t that may hold
}

// draw makes the trial with this number.
func draw(seed uint64, number int, dir string) trial {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(number))), ini: filepath.Join(dir, fmt.Sprintf("%d.ini", number))}
	t := trial{number: number, plugin: g.IntN(len(plugins)), file: g.ini}
	inFile := g.IntN(4) == 0
	var file strings.Builder
	if inFile {
		file.WriteString(g.of("", "\ufeff", "# c\r\n", "\x00", "=\n") + g.of("[x]", "[x", "[ x ]\r") + "\n")
	}
	for range 1 + g.IntN(6) {
		name, value := g.option()
		switch {
		case inFile && g.IntN(2) == 0:
			file.WriteString(strings.TrimLeft(name, "-") + g.of("=", " = ", "", "\t=") + value + g.of("\n", "\r\n", "\n\n"))
		case strings.HasPrefix(name, "--") && value != "":
			t.args = append(t.args, name+"="+value)
		default:
			t.args = append(t.args, name)
			if !strings.HasPrefix(name, "--") {
				t.args = append(t.args, value)
			}
		}
	}
	if inFile {
		t.args = append(t.args, "--extra-opts=x@"+g.ini)
	}
	if g.IntN(10) > 0 { // else few would come as far as to ask anything
		t.args = append(t.args, "-H", g.of("127.0.0.1", "127.0.0.1", "::1", "tcp://127.0.0.1:1", "http://127.0.0.1/", "10.9.9.9", "localhost", "a.example"))
	}
	g.Shuffle(len(t.args), func(i, j int) {
		if g.IntN(20) == 0 {
			t.args[i], t.args[j] = t.args[j], t.args[i]
		}
	})
	t.ini = file.String()
	if slices.Contains(t.args, "--replay="+g.ini) && g.IntN(4) > 0 {
		lines := []string{strings.Replace(recordedHeader, "{program}", plugins[t.plugin].name, 1)}
		for range g.IntN(30) {
			lines = append(lines, g.of(absurdEvents()...))
		}
		t.ini = strings.Join(lines, "\n")
	}
	t.limit(g)
	return t
}

// limit gives most trials a -t. It stands first, where no other option can take
// it for its value; one that is drawn later may win, and is of 3 seconds at most.
func (t *trial) limit(g *generator) {
	t.timeout = 10 * time.Second // the usual one
	if g.IntN(10) == 0 {
		return
	}
	seconds := 1 + g.IntN(2)
	t.args = append([]string{fmt.Sprintf("--timeout=%d", seconds)}, t.args...)
	t.timeout = time.Duration(seconds) * time.Second
	if slices.Contains(t.args, "-t") || strings.Contains(t.ini, "t") {
		t.timeout = 3 * time.Second
	}
}

// generator draws options and values.
type generator struct {
	*rand.Rand
	ini string
}

func (g *generator) of(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) option() (name, value string) {
	options := map[string][]string{
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
		"--replay":        {g.ini, "/dev/zero", "/nowhere", ""},
		"-i":              {"1", "20", "60000", "1.5"},
		"-s":              {"127.0.0.1", "10.9.9.9", "::1", "0.0.0.0", "nobody"},
		"-I":              {"lo", "gone0", strings.Repeat("i", 16), "a/b"},
		"--dscp":          {"0", "63", "64", "46"},
		"--via":           {"lo", "127.0.0.1", "gone0", "::"},
		"--mtu":           {"576", "1400", "65535", "9"},
		"-4":              {""},
		"-6":              {""},
		"--ipv4":          {""},
		"--ipv6":          {""},
		"-t":              {"1", "2", "3:OK", "1:WARNING", "0", "abc", "99999", "1s", ""},
		"--host-check":    {""},
		"--perfdata":      {"all", "totals", "none"},
		"--extra-opts":    {"", "x", "@", "x@" + g.ini, "x@/dev/null", "@/dev/zero", "x@x@x"},
		"-o":              {"json", "nagios", "events", "plan", "xml"},
		"-v":              {""},
		"--verbose":       {""},
		"-vvv":            {""},
		"--office-hours":  {"always", "never", "Mon-Fri 09:00-17:00", "Foo"},
		"--timezone":      {"Europe/London", "UTC", "../../etc/passwd", "Local"},
		"--bank-holidays": {"/dev/null", g.ini, "/proc/self/environ"},
		"--division":      {"scotland", "england-and-wales"},
		"-h":              {""},
		"-V":              {""},
		"--":              {""},
	}
	names := slices.Sorted(maps.Keys(options)) // else the map's chance would have a part in it
	name = names[g.IntN(len(names))]
	value = g.of(options[name]...)
	if g.IntN(40) == 0 {
		name = g.of("--nothing", "-Z", "-", "--h\x1b[m", "---", "-H=", "--far\n")
	}
	if g.IntN(8) == 0 {
		value = g.junk()
	}
	return name, value
}

// junk is hostile text or bytes by chance, without the zero byte that no
// argument can hold.
func (g *generator) junk() string {
	if g.IntN(3) == 0 {
		return g.of(hostileText, "%s%d%n", strings.Repeat("9", 400), "-", "--", "=", "|", "\"x", "'", "\\", "\u202e", "١٢٣")
	}
	b := make([]byte, g.IntN(60))
	for i := range b {
		b[i] = byte(1 + g.IntN(255))
	}
	return string(b)
}

// run runs the trial and tells what is wrong with its end. It is late where only
// the time is.
func (t trial) run(r *room) (wrong string, isLate bool, err error) {
	if err := os.WriteFile(t.file, []byte(t.ini), 0o644); err != nil {
		return "", false, err
	}
	defer os.Remove(t.file)
	p, err := r.start(filepath.Join(r.tools.plugins, plugins[t.plugin].name), t.args, nil)
	if err != nil {
		return "", false, err
	}
	if err := p.wait(t.timeout); err != nil {
		return "", false, err
	}
	stdout := p.stdout.String()
	switch {
	case p.code < ok || p.code > unknown:
		return fmt.Sprintf("exit code %d", p.code), false, nil
	case p.stderr.Len() > 0:
		return fmt.Sprintf("on stderr: %.300q", p.stderr.String()), false, nil
	case strings.HasPrefix(stdout, "{") && !isJSON(stdout), stdout == "":
		return fmt.Sprintf("not valid: %.300q", stdout), false, nil
	case p.code == ok && !t.mayBeOK():
		return fmt.Sprintf("a wrong OK: %.300q", stdout), false, nil
	case p.took > t.timeout+late:
		return fmt.Sprintf("took %.2f s of %s", p.took.Seconds(), t.timeout), true, nil
	}
	if err := script.Valid(stdout, p.code); err != nil {
		return err.Error(), false, nil
	}
	return "", false, nil
}

// isJSON tells whether each line is.
func isJSON(text string) bool {
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			return false
		}
	}
	return true
}

// mayBeOK tells whether somebody is asked who answers: loopback, or a recording.
func (t trial) mayBeOK() bool {
	text := strings.Join(t.args, "\n") + t.ini
	return strings.Contains(text, "127.0.0.") || strings.Contains(text, "::1") || strings.Contains(text, "localhost") ||
		strings.Contains(text, "replay") ||
		// A host check of what is not down is OK whatever else is wrong.
		strings.Contains(text, "host-check")
}

// runRandom runs so many trials and prints what is wrong.
func runRandom(out io.Writer, count int, seed uint64) (wrong int, err error) {
	if seed == 0 {
		seed = rand.Uint64()
	}
	t, err := newTools()
	if err != nil {
		return 0, err
	}
	defer t.close()
	r, err := newRoom(t)
	if err != nil {
		return 0, err
	}
	defer r.close()
	var again []trial
	var mu sync.Mutex
	one := func(trial trial, last bool) {
		why, isLate, failed := trial.run(r)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case failed != nil:
			err = errors.Join(err, failed)
		case isLate && !last:
			again = append(again, trial)
		case why != "":
			wrong++
			fmt.Fprintf(out, "-seed %d, number %d: %s %q, file %q: %s\n", seed, trial.number, plugins[trial.plugin].name, trial.args, trial.ini, why)
		}
	}
	work := make(chan int)
	var workers sync.WaitGroup
	for range together {
		workers.Go(func() {
			for number := range work {
				one(draw(seed, number, r.dir), false)
			}
		})
	}
	for number := range count {
		work <- number
	}
	close(work)
	workers.Wait()
	for _, trial := range again { // a busy machine may be to blame
		one(trial, true)
	}
	fmt.Fprintf(out, "%d random argument lists from seed %d, %d of them right\n", count, seed, count-wrong)
	return wrong, err
}
