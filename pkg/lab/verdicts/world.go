package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"checkvpn/pkg/lab"
)

// world is a near site with a host, a far site with fourteen machines in three
// groups, a tunnel of one kind between them, and a web site beside.
type world struct {
	*lab.Internet
	near, far, www *lab.Site
	tunnel         *lab.Tunnel
	dns            *lab.DNS
	kind           string // of tunnel
	plugins        string // folder of the built plugins
	authority      string // file of the laboratory's certificate authority
	record         string // folder for recordings; empty for none
	recorded       map[string]bool
}

// machines are fourteen: a1 to a5, b1 to b5 and c1 to c4, at 10.2.1.1 and so on.
func machines() (list []lab.Machine) {
	for g, group := range []string{"a", "b", "c"} {
		for n := 1; n <= 5 && len(list) < 14; n++ {
			list = append(list, lab.Machine{
				Name:  fmt.Sprintf("%s%d", group, n),
				Group: group,
				Addrs: lab.Addrs(fmt.Sprintf("10.2.%d.%d", g+1, n), fmt.Sprintf("fd00:2:%d::%d", g+1, n)),
				Names: []string{fmt.Sprintf("%s%d.example", group, n)},
				TCP:   []uint16{5432},
			})
		}
	}
	return list
}

func newWorld(k lab.Kind, plugins, record string) (_ *world, err error) {
	i, err := lab.NewInternet()
	if err != nil {
		return nil, err
	}
	w := &world{Internet: i, kind: k.Name, plugins: plugins, record: record, recorded: map[string]bool{}, authority: filepath.Join(plugins, k.Name+".pem")}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.Close())
		}
	}()
	if err := os.WriteFile(w.authority, i.CA(), 0o644); err != nil {
		return nil, err
	}
	if err := w.addSites(); err != nil {
		return nil, err
	}
	if w.tunnel, err = k.Raise(i, w.near, w.far); err != nil {
		return nil, err
	}
	records := map[string][]netip.Addr{"www.example": lab.Addrs("203.0.113.80"), "alias.example": lab.Addrs("203.0.113.80")}
	for _, m := range w.far.Machines {
		records[m.Names[0]] = m.Addrs[:1]
	}
	gateway := w.near.GatewayAddrs[0]
	if w.dns, err = w.near.ServeDNS(gateway, records); err != nil {
		return nil, err
	}
	return w, errors.Join(w.near.SetResolver(gateway), w.whole())
}

func (w *world) addSites() (err error) {
	if w.near, err = w.AddSite(lab.SiteConfig{
		Name: "near", Public: lab.Addrs("192.0.2.1", "2001:db8:1::1"),
		Networks:     lab.Prefixes("10.1.0.0/24", "fd00:1::/64"),
		GatewayAddrs: lab.Addrs("10.1.0.1", "fd00:1::1"),
		HostAddrs:    lab.Addrs("10.1.0.20", "fd00:1::20"),
		HostPublic:   lab.Addrs("192.0.2.20", "2001:db8:1::20"),
	}); err != nil {
		return err
	}
	if w.far, err = w.AddSite(lab.SiteConfig{
		Name: "far", Public: lab.Addrs("198.51.100.1", "2001:db8:2::1"),
		Networks:     lab.Prefixes("10.2.0.0/16", "fd00:2::/32"),
		GatewayAddrs: lab.Addrs("10.2.0.254", "fd00:2::254"),
		Machines:     machines(),
	}); err != nil {
		return err
	}
	w.www, err = w.AddSite(lab.SiteConfig{
		Name: "www", Public: lab.Addrs("203.0.113.81"),
		Networks: lab.Prefixes("203.0.113.80/32"),
		Machines: []lab.Machine{{Name: "www", Addrs: lab.Addrs("203.0.113.80"), Names: []string{"www.example"}, HTTPS: []uint16{443}}},
	})
	return err
}

// said is what a plugin said in JSON.
type said struct {
	Cause, State, Summary string
	Targets               []struct{ Name, Reason string }
	code                  int
	recording             string // what -o events printed, and last the report
	took                  time.Duration
}

func (w *world) ask(node *lab.Node, nobody bool, program string, args ...string) (said, error) {
	cmd := exec.Command(filepath.Join(w.plugins, program), append([]string{"-o", "events"}, args...)...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+w.authority)
	if nobody {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	r, err := node.Run(cmd)
	if err != nil {
		return said{}, err
	}
	s := said{code: r.Code, took: r.Took, recording: r.Stdout}
	lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil || r.Stderr != "" {
		return s, fmt.Errorf("%s %s: not JSON alone: %q, %q", program, strings.Join(args, " "), r.Stdout, r.Stderr)
	}
	return s, nil
}

// whole waits until the tunnel carries traffic: some kinds take a while to
// notice that they can.
func (w *world) whole() error {
	var last said
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(200 * time.Millisecond) {
		var err error
		if last, err = w.ask(w.near.Node, false, "check_vpn_dr", "-H", "10.2.1.1", "-n", "3"); err != nil {
			return err
		}
		if last.Cause == "up" {
			return nil
		}
	}
	return fmt.Errorf("the tunnel did not come up: %s", last.Summary)
}

// play breaks the world, asks, mends it, and waits until it is whole.
func (w *world) play(s scenario) (row, error) {
	r := row{scenario: s.name, tunnel: w.kind, want: s.cause, wantState: s.state}
	if s.breaks != nil {
		if err := s.breaks(w); err != nil {
			return r, err
		}
	}
	node, program := w.near.Node, "check_vpn_dr"
	if s.atGateway {
		node = w.near.Gateway
	}
	if s.program != "" {
		program = s.program
	}
	args := append([]string{"-E", "production"}, s.args(w)...)
	got, err := w.ask(node, s.nobody, program, args...)
	if err != nil {
		return r, err
	}
	r.got, r.state, r.seconds = got.Cause, got.State, got.took.Seconds()
	for _, words := range s.says {
		if !strings.Contains(got.Summary, words) {
			r.why = fmt.Sprintf("line 1 does not say %q: %s", words, got.Summary)
		}
	}
	if !slices.ContainsFunc(got.Targets, func(t struct{ Name, Reason string }) bool { return strings.Contains(t.Reason, s.reason) }) {
		r.why = fmt.Sprintf("no target gives the reason %q", s.reason)
	}
	if !r.right() && r.why == "" {
		r.why = got.Summary
	}
	if r.right() {
		r.why, err = w.replayed(program, got)
	}
	if r.right() {
		err = errors.Join(err, w.keep(program, got))
	}
	if s.mends != nil {
		if err := s.mends(w); err != nil {
			return r, err
		}
	}
	return r, errors.Join(err, w.whole())
}

// keep writes the recording of the first scenario of each cause, if that is
// asked for: one outage of this kind of tunnel.
func (w *world) keep(program string, s said) error {
	if w.record == "" || program != "check_vpn_dr" || w.recorded[s.Cause] {
		return nil
	}
	w.recorded[s.Cause] = true
	return os.WriteFile(filepath.Join(w.record, w.kind+"-"+s.Cause+".events"), []byte(s.recording), 0o644)
}

// replayed judges the recording again, for text, and says what is wrong: it must
// say the same, in a line 1 that is whole and fits a pager, with the advice so
// early that a client which cuts at 1,023 bytes shows it.
func (w *world) replayed(program string, s said) (why string, err error) {
	file := filepath.Join(w.plugins, w.kind+".events")
	if err := os.WriteFile(file, []byte(s.recording), 0o644); err != nil {
		return "", err
	}
	args := []string{"--replay=" + file, "-E", "production", "--runbook", "https://docs.example.org/runbooks/vpn"}
	r, err := w.near.Run(exec.Command(filepath.Join(w.plugins, program), args...))
	if err != nil {
		return "", err
	}
	line, rest, _ := strings.Cut(r.Stdout, "\n")
	line, _, _ = strings.Cut(line, " | ")
	advice := 0
	for text := range strings.Lines(rest) {
		if _, _, step := strings.Cut(text, ". "); step && text[0] >= '1' && text[0] <= '9' {
			advice = strings.Index(r.Stdout, text) + len(text)
		}
	}
	switch {
	case line != s.State+": "+s.Summary:
		return fmt.Sprintf("replayed, it says: %s, and not: %s", line, s.Summary), nil
	case len(line) > 150, strings.Contains(line, "..."):
		return fmt.Sprintf("line 1 does not fit: %s", line), nil
	case advice > 900:
		return fmt.Sprintf("the advice ends after %d bytes", advice), nil
	}
	return "", nil
}
