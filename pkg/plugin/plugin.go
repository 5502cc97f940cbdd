// Package plugin is the program that the plugins share: it reads the
// arguments, runs the probes under one deadline, has the evidence judged,
// prints the report and gives the exit code. What is special about a tunnel
// comes from the plugin's own folder, as a Tunnel.
package plugin

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/terminal"
	"checkvpn/pkg/vpn"
)

// Tunnel is what is special about one tunnel.
type Tunnel struct {
	Name     string   // in the JSON and the program's name: dr for check_vpn_dr
	Title    string   // in the output: DR VPN
	About    string   // for -h: what is watched, and what it means when it breaks
	Examples []string // for -h: arguments, without the program's name

	// Options points to a struct of this tunnel's own options for go-flags,
	// made of Value and Values; nil for none.
	Options any
	// Roles are the options among them that name targets. Role and long option
	// have the same name.
	Roles []Role
	// Prepare checks this tunnel's own options. Its errors come from BadValue.
	// Nil for none.
	Prepare func() error
	// Moments are times of the wall clock at which Impact differs, from now on;
	// the first is now. Nil where the time does not matter. For --explain.
	Moments func(now time.Time) []Moment
	// Impact says what a verdict means for people, at a moment of the wall
	// clock, and may move the state.
	Impact func(v vpn.Verdict, now time.Time) Impact
}

// Role is an option that names targets.
type Role struct {
	Role    vpn.Role
	Targets *Values
}

// Impact is what a verdict means for people.
type Impact struct {
	State nagios.State
	Text  string   // a sentence for line 1, without a full stop; may be empty
	Notes []string // further lines
}

// program is the name of the binary.
func (t Tunnel) program() string { return "check_vpn_" + t.Name }

// version is set when the binary is built.
var version = "0.0.0"

// document writes a man page in place of checking; nil but in programs that are
// built for that alone.
var document func(t Tunnel, args []string, stdout io.Writer) int

// Run is the whole program: it prints one report on stdout and returns the
// exit code, 0 to 3. Nothing else is printed anywhere.
func Run(t Tunnel, args []string, stdout io.Writer) int {
	began := time.Now()
	if document != nil {
		return document(t, args, stdout)
	}
	if text := information(t, args); text != "" {
		signal.Ignore(syscall.SIGPIPE) // as below
		_, _ = io.WriteString(stdout, text)
		return nagios.Unknown.ExitCode()
	}
	ctx, stop := onSignal(context.Background())
	defer stop(nil)
	// A reader that has gone must not end the program by a signal: it would be
	// taken for CRITICAL.
	signal.Ignore(syscall.SIGPIPE)
	// go-flags would print completions in place of checking, and exit 0.
	os.Unsetenv("GO_FLAGS_COMPLETION")
	// Libraries log what a far end says unasked; Icinga would merge it into
	// the output.
	log.SetOutput(io.Discard)

	screen := terminal.Of(stdout)
	out := answer(ctx, t, args, began, screen)
	if screen != nil {
		out.text = out.before + paintState(screen, out.text)
	}
	out.write(stdout, began)
	return out.code
}

// information is the text of -h or -V; empty where neither is asked for.
func information(t Tunnel, args []string) string {
	switch scan(args) {
	case askedHelp:
		return help(t)
	case askedVersion:
		return t.program() + " " + version + "\n"
	}
	return ""
}

// output is what the program says and the code that it exits with.
type output struct {
	before  string // codes for the screen that stand before the text
	text    string
	code    int
	timeout time.Duration
}

// answer does everything but print. A panic ends here as one UNKNOWN line.
func answer(ctx context.Context, t Tunnel, args []string, began time.Time, screen *terminal.Screen) (out output) {
	asJSON := wantsJSON(args)
	defer func() {
		if v := recover(); v != nil {
			out = ownFault(t, asJSON, vpn.Failed, fmt.Errorf("internal error: %v", v))
		}
	}()
	if err := onlyCallersRights(); err != nil {
		return ownFault(t, asJSON, vpn.Misuse, err)
	}
	p, fault := prepare(ctx, t, args, began)
	if fault != nil {
		return ownFault(t, asJSON || fault.asJSON, fault.cause, fault.err)
	}
	p.screen = screen
	if p.explain {
		return explain(t, p, began)
	}
	p.shedPrivilege()
	p.limitProcessors()
	return check(ctx, t, p, began)
}

// ownFault reports that nothing could be checked, for want of what was asked.
func ownFault(t Tunnel, asJSON bool, cause vpn.Cause, err error) output {
	state := nagios.Unknown
	if asJSON {
		return output{text: encode(jsonReport{State: state, Cause: cause, Tunnel: t.Name,
			Summary: nagios.Clean(err.Error(), maxMessage), Targets: []jsonTarget{}}), code: state.ExitCode()}
	}
	return output{text: nagios.Report{State: state, Summary: err.Error()}.String(), code: state.ExitCode()}
}

// maxMessage bounds the text of an error in JSON, in characters.
const maxMessage = 160

// write prints the text and waits for it no longer than the time that is
// left: a reader that does not read must not hold the program up.
func (o output) write(w io.Writer, began time.Time) {
	limit := o.timeout
	if limit == 0 {
		limit = defaultTimeout
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		// A closed or full stdout leaves nobody to tell; the exit code stands.
		_, _ = io.WriteString(w, o.text)
	}()
	select {
	case <-written:
	case <-time.After(max(time.Until(began.Add(limit)), margin/3)):
	}
}
