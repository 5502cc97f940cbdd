package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/vpn"
)

const ms = time.Millisecond

// asking is what a test asks: looks at one target, and how long it listens after
// the last event.
type asking struct {
	URL       string
	Path      Path
	RefuseOwn bool
	Looks     []vpn.Look
	Wait      time.Duration // 0 is until all is answered
	status    func(int) bool

	// Of a program that asks.
	Files int           // descriptors that it may have; 0: as many as usual
	Hold  time.Duration // for how long it holds all of them at first
	User  int           // whose rights it has, if not 0
}

// events are those of one asking.
type events []vpn.Event

// run asks, here and now.
func (a asking) run(t *testing.T) events {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := a.ask(ctx)
	check(t, err)
	return got
}

func (a asking) ask(ctx context.Context) (got events, err error) {
	question := Question{Path: a.Path, RefuseOwn: a.RefuseOwn}
	if question.Endpoint, err = vpn.ParseEndpoint(a.URL); err != nil {
		return nil, err
	}
	began, heard := time.Now(), make(chan vpn.Event, 10000)
	p := New(Settings{
		Questions: []Question{question}, Status: a.status,
		Now:  func() time.Duration { return time.Since(began) },
		Emit: func(e vpn.Event) { heard <- e },
	})
	defer p.Close()
	looks := slices.Clone(a.Looks)
	for i := range looks {
		if !looks[i].Addr.IsValid() {
			looks[i].Addr = question.Endpoint.Addr
		}
	}
	p.Want(ctx, looks)
	for !got.over(looks) {
		var enough <-chan time.Time
		if a.Wait > 0 && got.tried() == packetsOf(looks) {
			enough = time.After(a.Wait)
		}
		select {
		case e := <-heard:
			got = append(got, e)
		case <-enough:
			return got, nil
		case <-ctx.Done():
			return got, fmt.Errorf("it goes on for ever: %v", got)
		}
	}
	return got, nil
}

func packetsOf(looks []vpn.Look) (n int) {
	for _, l := range looks {
		n += max(1, l.Packets)
	}
	return n
}

// tried is how many packets were sent or failed.
func (got events) tried() int { return got.count(vpn.Sent) + got.count(vpn.LocalError) }

// over tells whether something has become of every packet.
func (got events) over(looks []vpn.Look) bool {
	n := 0
	for _, e := range got {
		if e.Kind != vpn.Sent {
			n++
		}
	}
	return n >= packetsOf(looks)
}

func (got events) count(k vpn.Kind) (n int) {
	for _, e := range got {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// words are what kinds of events there were, how many, and why.
func (got events) words() string {
	n, order := map[string]int{}, []string{}
	for _, e := range got {
		text := string(e.Kind)
		if e.Fault != nil {
			text += " (" + string(e.Fault.Code) + ": " + e.Fault.Words + ")"
		}
		if e.ICMP != nil {
			text += fmt.Sprintf(" %d/%d from %s", e.ICMP.Type, e.ICMP.Code, e.ICMP.From)
		}
		if n[text]++; n[text] == 1 {
			order = append(order, text)
		}
	}
	for i, text := range order {
		order[i] = fmt.Sprintf("%d %s", n[text], text)
	}
	return strings.Join(order, ", ")
}

func (got events) expect(t *testing.T, want string) {
	t.Helper()
	if words := got.words(); words != want {
		t.Errorf("got  %s\nwant %s", words, want)
	}
}

// sound tells what cannot be: packets numbered twice or not at all, an answer
// before its packet, times that do not fit.
func (got events) sound(t *testing.T, looks ...vpn.Look) {
	t.Helper()
	sent := map[int]time.Duration{}
	for _, e := range got {
		_, before := sent[e.Seq]
		switch e.Kind {
		case vpn.Sent, vpn.LocalError:
			if before {
				t.Errorf("packet %d is there twice: %s", e.Seq, got.words())
			}
			sent[e.Seq] = e.At
		case vpn.Answered:
			if !before || e.Took <= 0 || e.At-sent[e.Seq] < e.Took-ms || e.At-sent[e.Seq] > e.Took+50*ms {
				t.Errorf("packet %d left at %v and was answered at %v, after %v", e.Seq, sent[e.Seq], e.At, e.Took)
			}
		}
	}
	for _, l := range looks {
		for i := range l.Packets {
			if _, ok := sent[l.First+i]; !ok {
				t.Errorf("there is no packet %d", l.First+i)
			}
		}
	}
}

// askingOf, in the environment, makes the test binary a program that asks. For
// the goroutines of a prober are not bound to the lab's thread, but a process is
// where it was started.
const askingOf = "PROBE_TEST_ASKING"

// at asks at a node, in a process of its own.
func (a asking) at(t *testing.T, n *lab.Node) (got events) {
	t.Helper()
	text, err := json.Marshal(a)
	check(t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), askingOf+"="+string(text), "GORACE=atexit_sleep_ms=0")
	r, err := n.Run(cmd)
	check(t, err)
	if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil || r.Stderr != "" {
		t.Fatalf("%v in %q, %q", err, r.Stdout, r.Stderr)
	}
	return got
}

// askAsProgram is the program.
func askAsProgram(text string) error {
	var a asking
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.limit(); err != nil {
		return err
	}
	got, err := a.ask(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

// limit takes rights and descriptors away from the program.
func (a asking) limit() error {
	if a.Files > 0 {
		// Go's poller needs some of its own, and takes them once.
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		r.Close()
		w.Close()
		var held []int
		for len(held) < a.Files {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			held = append(held, fd)
		}
		last := uint64(held[len(held)-1] + 1)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: last, Max: last}); err != nil {
			return err
		}
		if a.Hold > 0 {
			time.AfterFunc(a.Hold, func() {
				for _, fd := range held {
					unix.Close(fd)
				}
			})
		}
	}
	if a.User != 0 {
		return unix.Setresuid(a.User, a.User, a.User)
	}
	return nil
}

func first(packets int) vpn.Look {
	return vpn.Look{Kind: vpn.FirstLook, Packets: packets, Spacing: 20 * ms}
}

func connectWithin(limit time.Duration) []vpn.Look {
	return []vpn.Look{{Kind: vpn.Connect, Limit: limit, Packets: 1}}
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}
