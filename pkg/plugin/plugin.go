package plugin

import (
	"context"
	"errors"
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
	// Staffed tells whether somebody is at work at a moment of the wall clock, if
	// what a verdict means depends on that. Nil if it does not.
	Staffed func(now time.Time) bool
	// HoursGiven tells whether this command line says when that is. For --replay.
	HoursGiven func() bool
	// Impact says what one problem of a verdict means for people, and may move its
	// state.
	Impact func(v vpn.Verdict, p vpn.Problem, staffed bool) Impact
	// Notes are further lines of the tunnel's own, as of a file that is out of
	// date. Nil for none.
	Notes func(now time.Time) []string
}

// Role is an option that names targets. The role has the option's long name.
type Role struct {
	Role    vpn.Role
	Targets *Values
}

// Impact is what a problem means for people.
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
	g := look(args)
	if err := enoughDescriptors(); err != nil {
		_, _ = io.WriteString(stdout, ownFault(t, g.json, vpn.Failed, err).text)
		return nagios.Unknown.ExitCode()
	}
	if text := information(t, g); text != "" {
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
	out := answer(ctx, t, args, g, began, screen, stdout)
	if screen != nil {
		out.text = out.before + paintState(screen, out.text)
	}
	out.write(stdout, began)
	return out.code
}

// information is the text of -h or -V; empty if neither is asked for.
func information(t Tunnel, g glance) string {
	switch {
	case g.help:
		return help(t)
	case g.version:
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
	after   <-chan struct{} // closed when what stands before it is written; nil if nothing does
}

// answer does everything but print. A panic ends here as one UNKNOWN line.
func answer(ctx context.Context, t Tunnel, args []string, g glance, began time.Time, screen *terminal.Screen, stdout io.Writer) (out output) {
	defer func() {
		if v := recover(); v != nil {
			out = ownFault(t, g.json, vpn.Failed, fmt.Errorf("internal error: %v", v))
		}
	}()
	if err := onlyCallersRights(); err != nil {
		return ownFault(t, g.json, vpn.Misuse, err)
	}
	p, fault := prepare(ctx, t, args, began.Add(g.timeout-margin))
	if fault != nil {
		return ownFault(t, g.json || fault.asJSON, fault.cause, fault.err)
	}
	p.screen, p.began = screen, began
	switch {
	case p.explain:
		return explain(t, p, began)
	case p.output == asPlan:
		return output{text: string(header(t, p)), code: nagios.Unknown.ExitCode(), timeout: p.timeout}
	case p.replay != "":
		return replay(t, p)
	}
	p.staffed = t.Staffed == nil || t.Staffed(began)
	p.shedPrivilege()
	p.spareProcessors()
	return p.run(ctx, t, stdout)
}

// run asks, judges and makes the output.
func (p *plan) run(ctx context.Context, t Tunnel, stdout io.Writer) output {
	rec := newRecorder(t, p, stdout)
	show, stop := watch(p)
	v := check(ctx, p, p.began, rec, show)
	erase := stop()
	out := render(t, p, v)
	out.before = erase
	out.after = rec.finish()
	return out
}

// ownFault reports that nothing could be checked, for want of what was asked.
func ownFault(t Tunnel, asJSON bool, cause vpn.Cause, err error) output {
	state, details := nagios.Unknown, []string{}
	if detailed, ok := errors.AsType[*detailedError](err); ok {
		details = detailed.details
	}
	if text := err.Error(); len(text) > nagios.SummaryRoom(state) {
		details = append([]string{text}, details...) // line 1 is cut
	}
	if asJSON {
		return output{text: encode(jsonReport{State: state, Cause: cause, Tunnel: t.Name,
			Summary: nagios.Clean(err.Error(), maxMessage), Problems: []jsonProblem{}, Targets: []jsonTarget{}, Advice: []string{}, Evidence: cleanAll(details)}), code: state.ExitCode()}
	}
	return output{text: nagios.Report{State: state, Summary: err.Error(), Details: details}.String(), code: state.ExitCode()}
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
		if o.after != nil {
			<-o.after
		}
		// A closed or full stdout leaves nobody to tell; the exit code stands.
		_, _ = io.WriteString(w, o.text)
	}()
	select {
	case <-written:
	case <-time.After(max(time.Until(began.Add(limit)), margin/3)):
	}
}
