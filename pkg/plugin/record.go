package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"checkvpn/pkg/vpn"
)

// recorder prints events as they happen, for -o events. It is nil otherwise, and
// does nothing then. A reader that does not read does not hold the check up:
// what is more than unread lines is left out, and the report comes last all the
// same.
type recorder struct {
	lines   chan []byte
	written chan struct{}
	stdout  io.Writer
}

const (
	unread       = 1 << 16
	maxRecording = 64 << 20 // bytes
)

func newRecorder(t Tunnel, p *plan, stdout io.Writer) *recorder {
	if p.output != asEvents {
		return nil
	}
	r := &recorder{lines: make(chan []byte, unread), written: make(chan struct{}), stdout: stdout}
	r.lines <- header(t, p)
	go func() {
		defer close(r.written)
		for line := range r.lines {
			_, _ = stdout.Write(line)
		}
	}()
	return r
}

func (r *recorder) event(e vpn.Event) {
	if r == nil {
		return
	}
	select {
	case r.lines <- vpn.Encode(e):
	default:
	}
}

// finish says that there are no more lines. What it gives is closed when all are
// written, so that the report comes last; it is nil if nothing is recorded.
func (r *recorder) finish() <-chan struct{} {
	if r == nil {
		return nil
	}
	close(r.lines)
	return r.written
}

// header is the first line of a recording.
func header(t Tunnel, p *plan) []byte {
	h := vpn.Header{
		Format: vpn.Format, Version: vpn.FormatVersion, Program: t.program(), Build: version,
		Start: p.began.UTC(), Staffed: p.staffed,
		Roles:   []vpn.Role{vpn.Far, vpn.Near, vpn.Peer},
		Warning: p.Limits.Warning.String(), Critical: p.Limits.Critical.String(), Partial: p.Limits.Partial.String(),
		MinFar: p.Limits.MinFar, MinPeer: p.Limits.MinPeer, Via: p.Limits.Via.String(),
		Packets: p.Packets, MaxPackets: p.MaxPackets, Interval: int(p.Interval.Milliseconds()), MTU: p.MTU,
		Timeout: int(p.timeout.Seconds()), Wait: int(p.Wait().Milliseconds()), HostCheck: p.hostCheck,
		Descriptors: p.Descriptors,
	}
	for _, r := range t.Roles {
		h.Roles = append(h.Roles, r.Role)
	}
	h.Targets = recordedTargets(p.Targets)
	return vpn.Encode(h)
}

// recordedTargets are the targets without what a URL may give away: its path. Of
// those that differ by nothing else, each gets a name of its own.
func recordedTargets(targets []vpn.Target) (list []vpn.RecordedTarget) {
	names := map[string]bool{}
	for _, target := range targets {
		names[target.Name] = true
	}
	known := map[string]bool{}
	for i, target := range targets {
		e := target.Endpoint
		if e.Path != "/" {
			e.Path = ""
		}
		r := vpn.RecordedTarget{Role: target.Role.Name, Name: target.Name, Group: target.Group, URL: e.String()}
		if target.URL == target.Name {
			r.Name = ""
			for n := i + 1; r.Name == "" && known[r.URL] || names[r.Name]; n++ {
				r.Name = target.Role.Name + "-" + strconv.Itoa(n)
			}
			names[r.Name] = r.Name != ""
			known[r.URL] = true
		}
		list = append(list, r)
	}
	return list
}

// recordedArgs are the arguments that a recording was made with, as far as it
// says, and then those of this command line: its limits, hours and output hold,
// and what was asked cannot be changed.
func recordedArgs(t Tunnel, file string, args []string) ([]string, error) {
	h, _, err := readRecording(file)
	switch {
	case err != nil:
		return nil, err
	case h.Program != t.program():
		return nil, fmt.Errorf("that file is a recording of %s", shown(h.Program))
	}
	given := &options{}
	if err := parseInto(t, given, args); err != nil {
		return nil, err
	}
	if asks(t, given) {
		return nil, errors.New("targets and ways are those of the recording: give none")
	}
	recorded := []string{
		"--warning=" + h.Warning, "--critical=" + h.Critical, "--partial=" + h.Partial,
		"--min-far=" + strconv.Itoa(h.MinFar), "--min-peer=" + strconv.Itoa(h.MinPeer),
		"--packets=" + strconv.Itoa(h.Packets), "--max-packets=" + strconv.Itoa(h.MaxPackets),
		"--interval=" + strconv.Itoa(h.Interval), "--timeout=" + strconv.Itoa(h.Timeout),
	}
	if h.Via != "" {
		recorded = append(recorded, "--via="+h.Via)
	}
	if h.MTU != 0 {
		recorded = append(recorded, "--mtu="+strconv.Itoa(h.MTU))
	}
	if h.HostCheck {
		recorded = append(recorded, "--host-check")
	}
	for _, target := range h.Targets {
		recorded = append(recorded, recordedTarget(target))
	}
	return append(recorded, args...), nil
}

func readRecording(file string) (h vpn.Header, events []vpn.Event, err error) {
	data, err := readFile(file, maxRecording)
	if err == nil {
		h, events, err = vpn.ReadRecording(bytes.NewReader(data))
	}
	if err != nil {
		err = fmt.Errorf("that file %w", err)
	}
	return h, events, err
}

// recordedTarget is the argument that names a target.
func recordedTarget(t vpn.RecordedTarget) string {
	text := t.URL
	if t.Name != "" {
		text = t.Name
		if t.Group != "" {
			text += "/" + t.Group
		}
		text += "=" + t.URL
	}
	return "--" + t.Role + "=" + text
}

// asks tells whether options say what is asked or how.
func asks(t Tunnel, o *options) bool {
	for _, r := range t.Roles {
		if len(*r.Targets) > 0 {
			return true
		}
	}
	single := []Value{o.MaxPackets, o.Source, o.Interface, o.DSCP, o.Via, o.MTU}
	return len(o.Far)+len(o.Hostname)+len(o.Near)+len(o.Peer)+len(o.Without) > 0 ||
		slices.ContainsFunc(single, Value.Given)
}

// replay judges a recording in place of the network.
func replay(t Tunnel, p *plan) output {
	if p.output == asEvents {
		return ownFault(t, false, vpn.Misuse, errors.New("--replay prints no events: want -o nagios or json"))
	}
	h, events, err := readRecording(p.replay)
	if err != nil {
		return ownFault(t, p.output == asJSON, vpn.Misuse, BadValue("--replay", p.replay, err))
	}
	p.began, p.staffed, p.Descriptors = h.Start, h.Staffed, h.Descriptors
	if t.Staffed != nil && t.HoursGiven != nil && t.HoursGiven() {
		p.staffed = t.Staffed(h.Start)
	}
	return render(t, p, vpn.NewJudge(&p.Plan).Replay(events))
}
