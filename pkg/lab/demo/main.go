// Command demo raises the seven tunnels in a laboratory of network namespaces,
// runs the three plugins against them, healthy and broken, and shows what a
// person on call would see. It wants the plugins in bin/ and the file of
// tunnels in icinga/. Nothing leaves this machine, and nothing is left on it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"checkvpn/pkg/lab"
)

func main() {
	full := flag.Bool("full", false, "show every line of the output, also those of targets that are well")
	flag.Parse()
	code, err := lab.Run(func() int { return run(os.Stdout, *full) })
	if err != nil {
		fmt.Println("The demo needs network namespaces:", err)
		code = 1
	}
	os.Exit(code)
}

// check is one plugin run against one tunnel.
type check struct {
	vpn     *lab.VPN
	program string
	section string // of the file of tunnels
}

// scene is one state of the world, and what is shown of it.
type scene struct {
	title  string
	checks []check
	// change breaks a tunnel, mend makes it whole again; nil for none.
	change, mend func(*lab.World, *lab.VPN) error
}

func run(w io.Writer, full bool) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	fmt.Fprintln(w, "Raising seven encrypted tunnels between network namespaces ...")
	world, err := lab.SevenTunnels()
	if err != nil {
		fmt.Fprintln(w, "The laboratory did not come up:", err)
		return 1
	}
	defer world.Close()
	d := &demo{w: w, full: full, world: world}
	if err := d.prepare(); err != nil {
		fmt.Fprintln(w, "The demo cannot run:", err)
		return 1
	}
	defer os.RemoveAll(d.dir)
	fmt.Fprintf(w, "They stand after %.1f s. Each command below is run where the tunnel's checks run.\n", time.Since(began).Seconds())
	for _, s := range scenes(world) {
		if err := d.play(ctx, s); err != nil {
			fmt.Fprintln(w, "The demo stops:", err)
			return 1
		}
	}
	fmt.Fprintf(w, "\nDone in %.1f s. Nothing is left behind.\n", time.Since(began).Seconds())
	return 0
}

func scenes(world *lab.World) []scene {
	var all []check
	for _, v := range world.VPNs {
		all = append(all, checkOf(v))
	}
	office := checkOf(world.VPN(lab.Office, ""))
	dr := checkOf(world.VPN(lab.DR, "production"))
	licensing := checkOf(world.VPN(lab.Licensing, "production"))
	three := []check{office, dr, licensing}

	machines := map[string]string{lab.Office: "vcloud-director", lab.DR: "mongo-4", lab.Licensing: "licensing-mongo-2"}
	between := func(c lab.Conditions) func(*lab.World, *lab.VPN) error {
		return func(w *lab.World, v *lab.VPN) error {
			w.Internet.SetBoth(v.Near, v.Far, c)
			return nil
		}
	}
	return []scene{
		{title: "All is well", checks: all},
		{title: "One host is dead", checks: three,
			change: func(_ *lab.World, v *lab.VPN) error { return v.Far.StopMachine(machines[v.Kind]) },
			mend:   func(_ *lab.World, v *lab.VPN) error { return v.Far.StartMachine(machines[v.Kind]) }},
		{title: "A group of hosts is dead", checks: []check{dr},
			change: func(_ *lab.World, v *lab.VPN) error { return v.Far.StopGroup("backend_dr") },
			mend:   func(_ *lab.World, v *lab.VPN) error { return v.Far.StartGroup("backend_dr") }},
		{title: "The internet between the ends loses a fifth of the packets each way", checks: three,
			change: between(lab.Conditions{Loss: .2}), mend: between(lab.Conditions{})},
		{title: "The far gateway is dead", checks: three,
			change: between(lab.Conditions{Cut: true}), mend: between(lab.Conditions{})},
		{title: "The tunnel is dead, both gateways are alive", checks: three,
			change: between(lab.Conditions{CutTunnels: true}), mend: between(lab.Conditions{})},
		{title: "All is well again", checks: three},
	}
}

func checkOf(v *lab.VPN) check {
	section := v.Kind
	if v.Environment != "" {
		section += "-" + v.Environment
	}
	return check{v, "check_vpn_" + v.Kind, section}
}

// demo is one performance.
type demo struct {
	w     io.Writer
	full  bool
	world *lab.World
	dir   string   // of the laboratory's certificate authority
	env   []string // of the plugins
}

func (d *demo) prepare() (err error) {
	for _, file := range []string{"bin/check_vpn_office", "bin/check_vpn_dr", "bin/check_vpn_licensing", "icinga/check_vpn.ini"} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%s is missing: start the demo with make demo", file)
		}
	}
	if d.dir, err = os.MkdirTemp("", "check-vpn-demo-"); err != nil {
		return err
	}
	authority := filepath.Join(d.dir, "authority.pem")
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	d.env = []string{"SSL_CERT_FILE=" + authority, "MP_CONFIG_PATH=" + filepath.Join(here, "icinga")}
	return os.WriteFile(authority, d.world.Internet.CA(), 0o600)
}

// atOnce is how many checks run at the same time: more of them, on a small
// machine, would measure each other.
const atOnce = 3

// play changes the world, runs the checks, shows them in order, and mends the
// world.
func (d *demo) play(ctx context.Context, s scene) error {
	fmt.Fprintf(d.w, "\n--- %s ---\n", s.title)
	if s.change != nil {
		for _, c := range s.checks {
			if err := s.change(d.world, c.vpn); err != nil {
				return err
			}
		}
	}
	results := make([]lab.Result, len(s.checks))
	errs := make([]error, len(s.checks))
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, c := range s.checks {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i], errs[i] = d.run(ctx, c)
		})
	}
	running.Wait()
	for i, c := range s.checks {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errs[i] != nil {
			return errs[i]
		}
		d.show(c, results[i])
	}
	if s.mend != nil {
		for _, c := range s.checks {
			if err := s.mend(d.world, c.vpn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *demo) run(ctx context.Context, c check) (lab.Result, error) {
	cmd := exec.CommandContext(ctx, "bin/"+c.program, "--extra-opts="+c.section)
	cmd.Env = append(os.Environ(), d.env...)
	return c.vpn.Near.Run(cmd)
}

// show prints a command, its output and its exit code. Of the targets that are
// well only the number is given, unless all is to be shown.
func (d *demo) show(c check, r lab.Result) {
	fmt.Fprintf(d.w, "\n$ %s --extra-opts=%s\n", c.program, c.section)
	well := 0
	for line := range strings.Lines(r.Stdout + r.Stderr) {
		text, perfdata, found := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
		switch {
		case d.full:
			fmt.Fprint(d.w, line)
		case strings.HasPrefix(text, "[OK]"):
			well++
		case strings.HasPrefix(text, "|"): // the figures of each target
		case found:
			totals := strings.Fields(perfdata)
			fmt.Fprintf(d.w, "%s | %s ...\n", text, strings.Join(totals[:min(3, len(totals))], " "))
		default:
			fmt.Fprintln(d.w, text)
		}
	}
	if well > 0 {
		fmt.Fprintf(d.w, "(and %d more, all [OK])\n", well)
	}
	fmt.Fprintf(d.w, "exit code %d after %.2f s\n", r.Code, r.Took.Seconds())
}
