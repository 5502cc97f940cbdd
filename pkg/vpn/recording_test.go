package vpn

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

const head = `{"format":"check_vpn events","version":1,"program":"check_vpn_dr","targets":[]}` + "\n"

func TestReadRecording(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "is empty"},
		{"x", "is no recording"},
		{`{"format":"other","version":1}`, "is no recording"},
		{`{"format":"check_vpn events","version":2}`, "version 2"},
		{head, ""},
		{head + `{"kind":"sent","at":5,"target":0}` + "\n" + `{"state":"OK"}` + "\n", ""},
		{head + "\n\n", ""},
		{head + "x\n", "no event in line 2"},
		{head + "{}\n", "no event in line 2"},
		{head + `{"kind":"sent","at":-5}`, "no event in line 2"},
		{head + `{"kind":"sent","took":-5}`, "no event in line 2"},
		{head + strings.Repeat("x", maxLine+1), "too long"},
		{strings.Repeat("x", maxLine+1), "is empty, or its first line is too long"},
	}
	for _, test := range tests {
		_, _, err := ReadRecording(strings.NewReader(test.text))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%.60q: got %v, want %q", test.text, err, test.want)
		}
	}
}

// TestRecordingSurvives writes each kind of event and reads it back.
func TestRecordingSurvives(t *testing.T) {
	p := testPlan(t, "a=10.0.0.1", "b=fd00::1", "r=tcp://10.0.0.1:80")
	var file bytes.Buffer
	file.WriteString(head)
	judge := NewJudge(p)
	want := imagine(judge, p, scenario{silent: "a", refuses: "r", router: "b"}.world(p), func(e Event) { file.Write(Encode(e)) })
	_, events, err := ReadRecording(&file)
	if err != nil {
		t.Fatal(err)
	}
	got := NewJudge(p).Replay(events)
	if got.Headline(1000) != want.Headline(1000) || causesOf(got) != causesOf(want) {
		t.Errorf("got %s, %s\nwant %s, %s", causesOf(got), got.Headline(1000), causesOf(want), want.Headline(1000))
	}
	for i, f := range got.Findings {
		if got.Line(f) != want.Line(want.Findings[i]) {
			t.Errorf("got %s\nwant %s", got.Line(f), want.Line(want.Findings[i]))
		}
	}

	// Other limits may want more than was asked.
	p.Limits.Warning = pairOf(t, "100,0%")
	short := NewJudge(p).Replay(events[:4])
	if short.Lead().Cause != Failed || !strings.Contains(short.Headline(1000), "the recording ends before these limits decide") {
		t.Errorf("got %s", short.Headline(1000))
	}
}

// TestCutShortInDoubt ends a check of a slow way between its first look and the
// end of its loss look: nothing is judged yet, so it is not well.
func TestCutShortInDoubt(t *testing.T) {
	p := testPlan(t, "a=10.0.0.1")
	var events []Event
	if v := imagine(NewJudge(p), p, World{Trip: 150 * time.Millisecond}, func(e Event) { events = append(events, e) }); causesOf(v) != "WARNING degraded" {
		t.Fatal(causesOf(v))
	}
	doubts := func(causes string) bool {
		return causes == "UNKNOWN failed" || strings.HasPrefix(causes, "WARNING degraded")
	}
	for n := range events {
		if got := causesOf(NewJudge(p).Replay(events[:n])); !doubts(got) {
			t.Errorf("the first %d of %d events: got %s", n, len(events), got)
		}
		j := NewJudge(p)
		for _, e := range events[:n] {
			if j.Add(e); e.Kind == Judged {
				j.Step(e.At)
			}
		}
		j.Add(Event{Kind: Interrupted, Fault: &Fault{Code: Signal, Words: "stopped by a signal"}})
		if j.Step(j.now); !doubts(causesOf(j.Verdict())) {
			t.Errorf("a signal after the first %d of %d events: got %s", n, len(events), causesOf(j.Verdict()))
		}
	}
}

// FuzzReplay gives the judge whatever a file may hold.
func FuzzReplay(f *testing.F) {
	f.Add(`{"kind":"sent","at":5,"look":"first","addr":"10.0.0.1"}` + "\n" + `{"kind":"judged","at":6}`)
	f.Add(`{"kind":"answered","at":5,"look":"first","addr":"10.0.0.1","took":1000000}` + "\n" + `{"kind":"judged","at":9000000000}`)
	f.Add(`{"kind":"icmp-error","look":"silence","addr":"fd00::1","target":1}` + "\n" + `{"kind":"route","addr":"10.0.0.1","route":{}}`)
	f.Add(`{"kind":"paused","at":5,"took":9000000000000000000}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, events, err := ReadRecording(strings.NewReader(head + text))
		if err != nil || len(events) > 200 {
			return
		}
		p := testPlan(t, "a=10.0.0.1", "b=fd00::1", "c=a.example", "near=10.1.1.1", "r=tcp://10.0.0.1:80")
		p.MTU, p.Limits.Via.Interface = 1400, "tun0"
		v := NewJudge(p).Replay(events)
		if v.Headline(1000) == "" || len(v.Problems) == 0 || v.State() > 3 {
			t.Errorf("got %+v", v.Problems)
		}
		for _, finding := range v.Findings {
			_ = v.Line(finding) + v.Note(finding)
		}
		_ = v.Advice()
	})
}

// TestReplayIsBounded has a file that claims absurd times and numbers.
func TestReplayIsBounded(t *testing.T) {
	p := testPlan(t, "a=10.0.0.1")
	a := p.Targets[0].Endpoint.Addr
	began := time.Now()
	NewJudge(p).Replay([]Event{
		{Kind: Sent, Look: FirstLook, Addr: a, Seq: 1 << 40},
		{Kind: Sent, Look: Connect, Addr: a, Seq: 1 << 40},
		{Kind: Sent, Look: FirstLook, Addr: a, Seq: -1},
		{Kind: Sent, Target: 1 << 40},
		{Kind: Judged, At: 1 << 62},
	})
	if time.Since(began) > time.Minute {
		t.Error("takes what a file says for granted")
	}
}
