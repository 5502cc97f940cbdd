package vpn

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A recording is a check as lines of JSON: a Header, the events in the order in
// which the judge got them, and last the report. Whoever replays it gives the
// events to a Judge of the same plan. A file may be hostile, so what is read is
// bounded.

// Format and FormatVersion stand in each header.
const (
	Format        = "check_vpn events"
	FormatVersion = 1
)

const (
	maxLine   = 1 << 20 // bytes of one line
	maxEvents = 1 << 20
)

// Header says what was asked and by what it was judged. There is nothing in it
// of the rest of the command line, of files, people or paths of URLs.
type Header struct {
	Format     string           `json:"format"`
	Version    int              `json:"version"`
	Program    string           `json:"program"`
	Build      string           `json:"build"` // of the program
	Start      time.Time        `json:"start"`
	Staffed    bool             `json:"staffed"` // whether somebody was at work, by the plugin's hours
	Roles      []Role           `json:"roles"`
	Targets    []RecordedTarget `json:"targets"`
	Warning    string           `json:"warning"`
	Critical   string           `json:"critical"`
	Partial    string           `json:"partial"`
	MinFar     int              `json:"min_far"`
	MinPeer    int              `json:"min_peer"`
	Via        string           `json:"via,omitempty"`
	Packets    int              `json:"packets"`
	MaxPackets int              `json:"max_packets"`
	Interval   int              `json:"interval_ms"`
	MTU        int              `json:"mtu,omitempty"`
	Timeout    int              `json:"timeout_s"`
	Wait       int              `json:"wait_ms"`
	HostCheck  bool             `json:"host_check,omitempty"`
	// Descriptors is how many file descriptors the looks could hold.
	Descriptors int `json:"descriptors"`
}

// RecordedTarget is a target of a header.
type RecordedTarget struct {
	Role  string `json:"role"`
	Name  string `json:"name"`
	Group string `json:"group,omitempty"`
	URL   string `json:"url"` // without a path
}

// Encode is a value as a line of JSON.
func Encode(value any) []byte {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err) // no type of ours can fail
	}
	return append(line, '\n')
}

// ReadRecording reads a recording. Its errors say what is wrong with which line,
// and follow the words "that file".
func ReadRecording(r io.Reader) (Header, []Event, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var h Header
	if !lines.Scan() {
		return h, nil, errors.New("is empty, or its first line is too long")
	}
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil || h.Format != Format {
		return h, nil, errors.New("is no recording: -o events makes one")
	}
	if h.Version != FormatVersion {
		return h, nil, fmt.Errorf("has version %d of the format: this program reads version %d", h.Version, FormatVersion)
	}
	var events []Event
	for number := 2; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 || bytes.HasPrefix(lines.Bytes(), []byte(`{"state":`)) {
			continue // the report
		}
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Kind == "" || e.At < 0 || e.Took < 0 {
			return h, nil, fmt.Errorf("has no event in line %d", number)
		}
		if len(events) == maxEvents {
			return h, nil, fmt.Errorf("has more than %d events", maxEvents)
		}
		events = append(events, e)
	}
	if lines.Err() != nil {
		return h, nil, errors.New("has a line that is too long")
	}
	return h, events, nil
}

// Replay judges recorded events as they came. If they end before the limits of
// this judge decide, the verdict says so.
func (j *Judge) Replay(events []Event) Verdict {
	for _, e := range events {
		if e.Kind != Judged {
			j.Add(e)
		} else if _, decided := j.Step(e.At); decided {
			return j.Verdict()
		}
	}
	j.Add(Event{Kind: Interrupted, Fault: &Fault{Code: TooShort, Words: "the recording ends before these limits decide"}})
	j.Step(j.now)
	return j.Verdict()
}
