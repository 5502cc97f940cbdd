package main

import (
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
	"strings"
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
	places := map[string][]*play{} // those of a tunnel share a place, and come one after the other
	for number, s := range list {
		ways := s.over
		if ways == nil {
			ways = []string{link}
		}
		for _, way := range ways {
			if matches.MatchString(s.name) && (o.record == "" || len(s.over) == len(each)) {
				p := &play{scenario: s, number: number, way: way, over: make(chan struct{})}
				plays = append(plays, p)
				if way == link {
					way = fmt.Sprint(link, number)
				}
				places[way] = append(places[way], p)
			}
		}
	}
	if len(plays) == 0 {
		return 0, errors.New("there is no such scenario")
	}
	for _, list := range places {
		go t.playAll(list)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !o.show {
		fmt.Fprintln(table, "SCENARIO\tOVER\tPLUGIN\tSAID\tSECONDS\t")
	}
	for i, p := range plays {
		<-p.over
		if o.show {
			p.show(out, i == 0 || p.name != plays[i-1].name)
		} else {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.2f\t\n", p.name, p.way, strings.TrimPrefix(p.program, "check_vpn_"), p.verdict, p.verdict.Took.Seconds())
		}
	}
	table.Flush()
	for _, p := range plays {
		if len(p.wrong) > 0 {
			wrong++
			fmt.Fprintf(out, "WRONG %s, over %s, %s %.300q: %s: %s\n", p.name, p.way, p.program, p.args, p.verdict, strings.Join(p.wrong, "; "))
		}
	}
	fmt.Fprintf(out, "%d of %d are as they should be\n", len(plays)-wrong, len(plays))
	return wrong, nil
}

// playAll plays the scenarios of one place.
func (t *tools) playAll(list []*play) {
	t.slots <- struct{}{}
	defer func() { <-t.slots }()
	p, err := t.place(list[0])
	for _, x := range list {
		failed := err
		if failed == nil {
			failed = t.play(p, x)
		}
		if failed != nil {
			x.wrong = append(x.wrong, "cannot be played: "+failed.Error())
		}
		close(x.over)
	}
	if p.close != nil {
		p.close()
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
		if p.VPN != nil {
			args[i] = strings.ReplaceAll(args[i], "{tunnel}", p.Tunnel.Interface)
		}
	}
	running := make([]func() lab.Result, cmp.Or(x.copies, 1))
	for i := range running {
		if running[i], err = t.start(p, x.scenario, args); err != nil {
			return err
		}
	}
	if x.during != nil {
		if err := x.during(p); err != nil {
			return err
		}
	}
	for _, wait := range running {
		v := read(wait())
		recording := v.Stdout
		if strings.HasPrefix(recording, `{"format":`) && x.isTunnel() {
			if v, err = t.replay(p, program, v); err != nil {
				return err
			}
		}
		x.wrong = append(x.wrong, x.scenario.wrong(v)...)
		if v.Took >= x.verdict.Took {
			x.verdict = v
		}
		if t.record != "" && len(x.wrong) == 0 {
			err = os.WriteFile(filepath.Join(t.record, p.way+"-"+v.cause+".events"), []byte(recording), 0o644)
		}
	}
	return err
}

// patience is after what time a plugin is taken to hang. The longest -t is 40 s.
const patience = 60 * time.Second

// start starts a plugin, and gives what waits for its end. What never ends is killed.
func (t *tools) start(p *place, s scenario, args []string) (wait func() lab.Result, err error) {
	cmd := exec.Command(filepath.Join(t.dir, s.program), args...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(p.dir, "authority.pem"), "MP_CONFIG_PATH="+t.dir)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // for rows that leave a pipe open
	if s.start != nil {
		s.start(p, cmd)
	}
	node := p.Node
	if s.atGateway {
		node = p.Near.Gateway
	}
	began := time.Now()
	if err := node.Start(cmd); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = cmd.Process.Pid
	hangs := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	return func() lab.Result {
		cmd.Wait()
		hangs.Stop()
		return lab.Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode(), Took: time.Since(began)}
	}, nil
}

// replay judges a recording again, for the text: the report at the recording's end
// must say the same.
func (t *tools) replay(p *place, program string, v verdict) (verdict, error) {
	if err := p.write("recording", v.Stdout, 0o644); err != nil {
		return v, err
	}
	r, err := p.Run(exec.Command(filepath.Join(t.dir, program), "--replay="+p.dir+"/recording", "-E", "production", "--runbook", "https://docs.example.org/vpn"))
	if err != nil {
		return v, err
	}
	r.Took, r.Stderr = v.Took, v.Stderr
	text := read(r)
	line, _, _ := strings.Cut(r.Stdout, "\n")
	line, _, _ = strings.Cut(line, " | ")
	_, summary, _ := strings.Cut(line, ": ")
	if text.Code != v.Code || text.cause != v.cause && text.cause != "" || !strings.Contains(v.Stdout, `"summary":"`+summary+`"`) {
		return v, fmt.Errorf("replayed, it says %s, and not what the recording ends with: %.300s", r.Stdout, lastLine(v.Stdout))
	}
	return text, nil
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
	for line := range strings.Lines(p.verdict.Stdout) {
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
	fmt.Fprintf(out, "exit code %d after %.2f s\n", p.verdict.Code, p.verdict.Took.Seconds())
}
