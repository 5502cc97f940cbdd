package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"checkvpn/pkg/lab"
)

// options are how the table is run.
type options struct {
	only   string // a regular expression for names
	show   bool   // each output in place of the table
	record string // folder for a recording of each cause and kind of tunnel
	quiet  bool   // print what is wrong alone
}

// play is a scenario over one way, and what came of it.
type play struct {
	scenario
	number  int
	way     string
	verdict verdict
	wrong   []string
	over    chan struct{} // closed when it is
}

// together is how many go on at once. They mostly wait.
const together = 8

// run plays scenarios, prints them in their order, and returns how many went wrong.
func run(out io.Writer, list []scenario, o options) (wrong int, err error) {
	matches, err := regexp.Compile(o.only)
	if err != nil {
		return 0, err
	}
	t, err := newTools(o)
	if err != nil {
		return 0, err
	}
	defer t.close()
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(interrupted, func() { t.close(); os.Exit(1) })()
	var plays []*play
	over := map[string][]*play{}
	for number, s := range list {
		for _, way := range s.ways() {
			if matches.MatchString(s.name) && (o.record == "" || len(s.over) == len(each)) {
				p := &play{scenario: s, number: number, way: way, over: make(chan struct{})}
				plays, over[way] = append(plays, p), append(over[way], p)
			}
		}
	}
	if len(plays) == 0 {
		return 0, errors.New("there is no such scenario")
	}
	for way, list := range over {
		go t.playAll(way, list)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !o.show && !o.quiet {
		fmt.Fprintln(table, "SCENARIO\tOVER\tPLUGIN\tSAID\tSECONDS\t")
	}
	title := ""
	for _, p := range plays {
		<-p.over
		if len(p.wrong) > 0 {
			wrong++
		}
		if o.show {
			p.show(out, p.name != title)
			title = p.name
			continue
		}
		if o.quiet {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.2f\t\n", p.name, p.way, strings.TrimPrefix(p.program, "check_vpn_"), p.verdict, p.verdict.seconds)
	}
	table.Flush()
	for _, p := range plays {
		if len(p.wrong) > 0 {
			fmt.Fprintf(out, "WRONG %s, over %s, %s %.300q: %s: %s\n", p.name, p.way, p.program, p.args, p.verdict, strings.Join(p.wrong, "; "))
		}
	}
	fmt.Fprintf(out, "%d of %d are as they should be\n", len(plays)-wrong, len(plays))
	return wrong, nil
}

func (s scenario) ways() []string {
	if s.over == nil {
		return []string{"link"}
	}
	return s.over
}

// playAll plays the scenarios of one way. Those of a tunnel share a place, and come
// one after the other.
func (t *tools) playAll(way string, list []*play) {
	var p *place
	var err error
	if way != "link" {
		p, err = t.place(way, nil)
	}
	for _, x := range list {
		t.slots <- struct{}{}
		one := func() {
			defer func() { <-t.slots; close(x.over) }()
			here, failed := p, err
			if way == "link" {
				if here, failed = t.place(way, x.peer); failed == nil {
					defer here.Close()
				}
			}
			if failed == nil {
				failed = t.play(here, x)
			}
			if failed != nil {
				x.wrong = append(x.wrong, "cannot be played: "+failed.Error())
			}
		}
		if way == "link" {
			go one()
		} else {
			one()
		}
	}
	if p != nil && p.pair != nil {
		p.pair.Close()
	}
}

// play breaks the place, runs the command and mends the place.
func (t *tools) play(p *place, x *play) (err error) {
	defer func() { err = errors.Join(err, p.mend(), t.whole(p)) }()
	if x.breaks != nil {
		if err := x.breaks(p); err != nil {
			return err
		}
	}
	program, args := x.command(x.number)
	x.program = program
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "{dir}", p.dir)
		if p.tunnel != nil {
			args[i] = strings.ReplaceAll(args[i], "{tunnel}", p.tunnel.Interface)
		}
	}
	running := make([]*process, cmp.Or(x.copies, 1))
	for i := range running {
		if running[i], err = t.start(p, x.scenario, args); err != nil {
			return err
		}
	}
	if x.during != nil {
		if err := x.during(p, running[0].cmd); err != nil {
			return err
		}
	}
	for _, r := range running {
		v := r.wait()
		v.read()
		recording := v.text
		if strings.HasPrefix(recording, `{"format":`) && x.isTunnel() {
			if err := t.replay(p, program, &v); err != nil {
				return err
			}
		}
		x.wrong = append(x.wrong, x.scenario.wrong(v, r.stderr.String())...)
		if v.seconds >= x.verdict.seconds {
			x.verdict = v
		}
		if t.record != "" && len(x.wrong) == 0 {
			err = os.WriteFile(filepath.Join(t.record, p.way+"-"+v.cause+".events"), []byte(recording), 0o644)
		}
	}
	return err
}

// process is a plugin that runs.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	began          time.Time
}

func (t *tools) start(p *place, s scenario, args []string) (*process, error) {
	r := &process{cmd: exec.Command(filepath.Join(t.dir, s.program), args...)}
	r.cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(p.dir, "authority.pem"), "MP_CONFIG_PATH="+t.icinga)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.WaitDelay = time.Second // for rows that leave a pipe open
	if s.start != nil {
		s.start(p, r.cmd)
	}
	node := p.Node
	if s.atGateway {
		node = p.near.Gateway
	}
	r.began = time.Now()
	if err := node.Start(r.cmd); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = r.cmd.Process.Pid
	return r, nil
}

// patience is after what time a plugin is taken to hang. The longest -t is 15 s.
const patience = 60 * time.Second

// wait waits for the plugin's end, and kills what never ends.
func (r *process) wait() verdict {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { r.cmd.Process.Kill() })()
	r.cmd.Wait()
	return verdict{text: r.stdout.String(), code: r.cmd.ProcessState.ExitCode(), seconds: time.Since(r.began).Seconds()}
}

// replay judges a recording again, for the text: the report at the recording's end
// must say the same.
func (t *tools) replay(p *place, program string, v *verdict) error {
	if err := p.write("recording", []byte(v.text), 0o644); err != nil {
		return err
	}
	r, err := p.Run(exec.Command(filepath.Join(t.dir, program), "--replay="+p.dir+"/recording", "-E", "production", "--runbook", "https://docs.example.org/vpn"))
	if err != nil {
		return err
	}
	text := verdict{text: r.Stdout, code: r.Code, seconds: v.seconds}
	text.read()
	line, _, _ := strings.Cut(r.Stdout, "\n")
	line, _, _ = strings.Cut(line, " | ")
	_, summary, _ := strings.Cut(line, ": ")
	if text.code != v.code || text.cause != v.cause && text.cause != "" || !strings.Contains(v.text, `"summary":"`+summary+`"`) {
		return fmt.Errorf("replayed, it says %s, and not what the recording ends with: %.300s", r.Stdout, v.text[strings.LastIndex(strings.TrimSpace(v.text), "\n")+1:])
	}
	*v = text
	return nil
}

// whole waits until a kind of tunnel carries traffic again: some take a while to
// notice that they can.
func (t *tools) whole(p *place) (err error) {
	if p.pair == nil {
		return nil
	}
	var r lab.Result
	for began := time.Now(); time.Since(began) < patience; time.Sleep(100 * time.Millisecond) {
		r, err = p.Run(exec.Command(filepath.Join(t.dir, "check_vpn_dr"), "-H", "10.2.1.1", "-n", "3", "-w", "1000,20%", "-c", "1000,60%"))
		if err != nil || r.Code == 0 {
			return err
		}
	}
	return fmt.Errorf("the tunnel does not come up again: %s", r.Stdout)
}

// show prints a command, its output and its exit code, as a person sees them. Of the
// targets that are well only the number is given.
func (p *play) show(out io.Writer, isNew bool) {
	if isNew {
		fmt.Fprintf(out, "\n--- %s ---\n", p.name)
	}
	fmt.Fprintf(out, "\n$ %s %s\n", p.program, strings.Join(p.args, " "))
	well := 0
	for line := range strings.Lines(p.verdict.text) {
		text, perfdata, found := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
		switch {
		case strings.HasPrefix(text, "[OK]"):
			well++
		case strings.HasPrefix(text, "|"): // the figures of each target
		case found:
			totals := strings.Fields(perfdata)
			fmt.Fprintf(out, "%s | %s ...\n", text, strings.Join(totals[:min(3, len(totals))], " "))
		default:
			fmt.Fprintln(out, text)
		}
	}
	if well > 0 {
		fmt.Fprintf(out, "(and %d more, all [OK])\n", well)
	}
	fmt.Fprintf(out, "exit code %d after %.2f s\n", p.verdict.code, p.verdict.seconds)
}

// tools are what all places share.
type tools struct {
	dir    string // of the built plugins, and of the places
	icinga string // the project's folder with check_vpn.ini
	record string
	slots  chan struct{}

	authority *lab.Authority // that the plugins trust over a plain link
	seven     func() (*lab.World, error)
	world     *lab.World // once it is raised
}

// plugins are the three.
var plugins = []string{"check_vpn_office", "check_vpn_dr", "check_vpn_licensing"}

// newTools builds the plugins as `make build` does.
func newTools(o options) (t *tools, err error) {
	atOnce := together
	if o.show {
		atOnce = 3 // or the demo would show how busy the host is
	}
	t = &tools{record: o.record, slots: make(chan struct{}, atOnce)}
	t.seven = sync.OnceValues(func() (w *lab.World, err error) {
		t.world, err = lab.SevenTunnels()
		return t.world, err
	})
	if t.dir, err = os.MkdirTemp("", "check-vpn-scenario-"); err != nil {
		return nil, err
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	t.icinga = filepath.Join(strings.TrimSpace(string(module)), "icinga")
	if err == nil {
		err = os.Chmod(t.dir, 0o755) // some plugins run as nobody
	}
	if err == nil {
		t.authority, err = lab.NewAuthority()
	}
	if err == nil {
		err = build(t.dir)
	}
	if err != nil {
		t.close()
	}
	return t, err
}

func (t *tools) close() {
	if t.world != nil {
		t.world.Close()
	}
	os.RemoveAll(t.dir)
}

// place makes one: a plain link to a peer, a kind of tunnel, or a section of
// check_vpn.ini.
func (t *tools) place(way string, peer maker) (p *place, err error) {
	p = &place{way: way, authority: t.authority}
	if p.dir, err = os.MkdirTemp(t.dir, "place-"); err == nil {
		err = os.Chmod(p.dir, 0o755)
	}
	if err != nil {
		return nil, err
	}
	kind := slices.IndexFunc(lab.Kinds(), func(k lab.Kind) bool { return k.Name == way })
	trusted := t.authority.PEM
	switch {
	case way == "link":
		if p.Node, err = lab.NewNode(); err == nil {
			err = p.connect("tun0", peer, behindTun0...)
		}
	case kind >= 0:
		if p.pair, err = lab.NewPair(lab.Kinds()[kind]); err == nil {
			p.Node, p.net, p.near, p.far, p.tunnel = p.pair.Near.Node, p.pair.Internet, p.pair.Near, p.pair.Far, p.pair.Tunnel
			trusted, err = p.pair.CA(), t.whole(p)
		}
	default:
		var world *lab.World
		if world, err = t.seven(); err == nil {
			name, environment, _ := strings.Cut(way, "-")
			v := world.VPN(name, environment)
			p.Node, p.net, p.near, p.far, p.tunnel = v.Near.Node, world.Internet, v.Near, v.Far, v.Tunnel
			trusted = world.Internet.CA()
		}
	}
	return p, errors.Join(err, os.WriteFile(p.dir+"/authority.pem", trusted, 0o644))
}

func build(dir string) error {
	args := []string{"build", "-trimpath", "-o", dir + "/"}
	for _, p := range plugins {
		args = append(args, "checkvpn/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the plugins: %w\n%s", err, text)
	}
	return nil
}
