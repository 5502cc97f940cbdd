package probe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/probe"
)

// askMTUOf, in the environment, makes the test binary a program that asks
// whether packets of its argument's bytes pass to these addresses.
const askMTUOf = "PROBE_TEST_MTU"

// mtu is what the program prints of one address.
type mtu struct {
	Outcome         probe.Outcome
	Largest         int
	Exact           bool
	Told, Err       string
	Tried           []probe.Size
	Small           string // of the small packets
	Privilege       string
	Over, Searching bool
	Decided         time.Duration // when the first look was over
	Took            time.Duration
}

func askMTU(addresses string) int {
	bytes, _ := strconv.Atoi(os.Args[1])
	limit, _ := time.ParseDuration(os.Args[2])
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	prober := probe.NewProber(probe.Settings{Packets: 5, MaxPackets: 20, Interval: 20 * ms, Wait: 600 * ms})
	list := strings.Fields(addresses)
	results := make([]mtu, len(list))
	var all sync.WaitGroup
	for i, address := range list {
		e, err := probe.ParseEndpoint(address)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		p := prober.New(e, probe.Path{MTU: bytes})
		over := make(chan struct{})
		all.Go(func() {
			p.Run(ctx)
			close(over)
		})
		all.Go(func() { results[i] = watchMTU(prober, p, over) })
	}
	all.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(results)
	return 0
}

func watchMTU(prober *probe.Prober, p *probe.Probe, over chan struct{}) (m mtu) {
	for running := true; running; {
		select {
		case <-over:
			running = false
		case <-time.After(5 * ms):
		}
		r := p.Result()
		if m.Over = r.FirstLookOver; m.Over && m.Decided == 0 {
			m.Decided = prober.Now()
		}
		m.Small, m.Privilege = fmt.Sprintf("%d of %d", r.Received(), r.Sent()), r.Privilege
		if r.MTU == nil {
			continue
		}
		m.Outcome, m.Largest, m.Exact, m.Tried, m.Searching = r.MTU.Outcome, r.MTU.Largest, r.MTU.Exact, r.MTU.Tried, r.MTU.Searching
		m.Told, m.Err = "", ""
		if r.MTU.Told != nil {
			m.Told = r.MTU.Told.Error()
		}
		if r.MTU.Err != nil {
			m.Err = r.MTU.Err.Error()
		}
	}
	m.Took = prober.Now()
	return m
}

// packets counts what was sent, small packets apart.
func (m mtu) packets() (n int) {
	for _, size := range m.Tried {
		n += size.Sent
	}
	return n
}

// sizes is a pair of sites with a tunnel whose MTU is 1420. Its packets are
// IPv4, 60 bytes longer than those inside, which are padded to a multiple of 16.
type sites struct {
	*lab.Internet
	near, far *lab.Site
	tunnel    *lab.Tunnel
}

func newSites(t *testing.T, privileged bool) *sites {
	t.Helper()
	i, err := lab.NewInternet()
	must(t, err)
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &sites{Internet: i}
	s.near, err = i.AddSite(lab.SiteConfig{
		Name:         "near",
		Public:       lab.Addrs("192.0.2.1"),
		Networks:     []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("fd00:1::/64")},
		GatewayAddrs: lab.Addrs("10.1.0.1", "fd00:1::1"),
		HostAddrs:    lab.Addrs("10.1.0.20", "fd00:1::20"),
	})
	must(t, err)
	s.far, err = i.AddSite(lab.SiteConfig{
		Name:         "far",
		Public:       lab.Addrs("198.51.100.1"),
		Networks:     []netip.Prefix{netip.MustParsePrefix("10.2.0.0/24"), netip.MustParsePrefix("fd00:2::/64")},
		GatewayAddrs: lab.Addrs("10.2.0.254", "fd00:2::254"),
		Machines:     []lab.Machine{{Name: "one", Addrs: lab.Addrs("10.2.0.1", "fd00:2::1")}, {Name: "more", Addrs: lab.Addrs("10.2.0.2", "10.2.0.3", "10.2.0.4")}},
	})
	must(t, err)
	s.tunnel, err = i.WireGuard(s.near, s.far)
	must(t, err)
	group := "0 65535"
	if privileged {
		group = "1 0"
	}
	must(t, s.near.Sysctl("net/ipv4/ping_group_range", group))
	return s
}

// ask asks addresses with packets of so many bytes.
func (s *sites) ask(t *testing.T, bytes int, limit time.Duration, addresses ...string) (list []mtu) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", strconv.Itoa(bytes), limit.String())
	cmd.Env = append(os.Environ(), askMTUOf+"="+strings.Join(addresses, " "), "GORACE=atexit_sleep_ms=0")
	r, err := s.near.Run(cmd)
	must(t, err)
	if err := json.Unmarshal([]byte(r.Stdout), &list); err != nil || r.Stderr != "" {
		t.Fatalf("%v in %q, %q", err, r.Stdout, r.Stderr)
	}
	for _, m := range list {
		if n := m.packets(); n > 180 {
			t.Errorf("%d packets", n)
		}
	}
	return list
}

const one, one6 = "10.2.0.1", "fd00:2::1"

func TestMTU(t *testing.T) {
	for _, privileged := range []bool{false, true} {
		t.Run(fmt.Sprintf("privileged %t", privileged), func(t *testing.T) {
			t.Parallel()
			s := newSites(t, privileged)
			for _, test := range []struct {
				name         string
				there, back  lab.Conditions
				asked        int
				passes       bool
				largest      int
				told4, told6 string
			}{
				{"as large as the tunnel takes", lab.Conditions{}, lab.Conditions{}, 1420, true, 0, "", ""},
				{"one byte more", lab.Conditions{}, lab.Conditions{}, 1421, false, 1420, "too big, says 10.1.0.1", "too big, says fd00:1::1"},
				{"larger than this machine sends", lab.Conditions{}, lab.Conditions{}, 9000, false, 1420, "too big, says 10.1.0.1", "too big, says fd00:1::1"},
				{"black hole there", lab.Conditions{MaxPacket: 1400}, lab.Conditions{}, 1420, false, 1328, "", ""},
				{"black hole back", lab.Conditions{}, lab.Conditions{MaxPacket: 1436}, 1400, false, 1376, "", ""},
				{"black hole below what is said", lab.Conditions{MaxPacket: 1400}, lab.Conditions{}, 1500, false, 1328, "", ""},
				{"smaller than the black hole", lab.Conditions{MaxPacket: 1400}, lab.Conditions{}, 1328, true, 0, "", ""},
				{"one byte larger", lab.Conditions{MaxPacket: 1400}, lab.Conditions{}, 1329, false, 1328, "", ""},
				{"slow black hole", lab.Conditions{MaxPacket: 1400, Delay: 60 * ms}, lab.Conditions{Delay: 60 * ms}, 1420, false, 1328, "", ""},
			} {
				t.Run(test.name, func(t *testing.T) {
					s.Set(s.near, s.far, test.there)
					s.Set(s.far, s.near, test.back)
					for i, m := range s.ask(t, test.asked, 9*time.Second, one, one6) {
						told := []string{test.told4, test.told6}[i]
						if (m.Outcome == probe.Answered) != test.passes || m.Largest != test.largest || m.Exact == test.passes || m.Told != told || m.Err != "" || m.Searching {
							t.Errorf("got %+v, want %d, %s", m, test.largest, told)
						}
						if m.Small != "5 of 5" || (m.Privilege == "raw") != privileged {
							t.Errorf("%s small packets answered, %s ICMP", m.Small, m.Privilege)
						}
						if test.passes && (m.packets() > 3 || m.Decided > 600*ms) || m.Took > 8*time.Second {
							t.Errorf("decided after %v with %d packets, took %v", m.Decided, m.packets(), m.Took)
						}
					}
				})
			}
		})
	}
}

// TestMTURepaired has a smaller MTU than the tunnel had, and had again: the
// kernel remembers what it was told for ten minutes.
func TestMTURepaired(t *testing.T) {
	t.Parallel()
	s := newSites(t, false)
	for _, bytes := range []int{1420, 1300, 1420, 1340} {
		must(t, s.tunnel.SetMTU(bytes))
		for i, m := range s.ask(t, 1420, 9*time.Second, one, one6) {
			largest, told := 0, ""
			if bytes < 1420 {
				largest, told = bytes, []string{"too big, says 10.1.0.1", "too big, says fd00:1::1"}[i]
			}
			if m.Largest != largest || m.Told != told || (m.Outcome == probe.Answered) != (bytes == 1420) {
				t.Errorf("MTU %d: got %+v", bytes, m)
			}
		}
	}
}

// TestMTUOutside has a way between the gateways that says what fits. The near
// gateway then sends the packets of the tunnel in fragments.
func TestMTUOutside(t *testing.T) {
	t.Parallel()
	s := newSites(t, false)
	s.SetBoth(s.near, s.far, lab.Conditions{MaxPacket: 1400, TooBig: true})
	for _, m := range s.ask(t, 1420, 9*time.Second, one, one6) {
		if m.Outcome != probe.Answered {
			t.Errorf("got %+v", m)
		}
	}
}

// TestMTUWithLoss has a healthy tunnel that loses packets, on which no alarm
// may be raised, and one that does not answer at all.
func TestMTUWithLoss(t *testing.T) {
	t.Parallel()
	s := newSites(t, false)
	s.SetBoth(s.near, s.far, lab.Conditions{Loss: 0.05, Delay: 10 * ms})
	for range 3 {
		for _, m := range s.ask(t, 1420, 9*time.Second, one, one6, "10.2.0.2", "10.2.0.3", "10.2.0.4") {
			if m.Outcome != probe.Answered {
				t.Errorf("got %+v", m)
			}
		}
	}
	s.SetBoth(s.near, s.far, lab.Conditions{Cut: true})
	if m := s.ask(t, 1420, 9*time.Second, one)[0]; m.Outcome != probe.Pending || !m.Over || m.Decided > 1200*ms || m.packets() != 3 || m.Took > 3*time.Second {
		t.Errorf("dead tunnel: got %+v", m)
	}
}

// TestMTUAtTheEnd has more failing targets than are searched, and a search
// that time cuts short.
func TestMTUAtTheEnd(t *testing.T) {
	t.Parallel()
	s := newSites(t, false)
	s.Set(s.near, s.far, lab.Conditions{MaxPacket: 1400})
	searched := 0
	for _, m := range s.ask(t, 1420, 9*time.Second, one, one6, "10.2.0.2", "10.2.0.3", "10.2.0.4") {
		if m.Outcome != probe.Silent || m.Exact && m.Largest != 1328 || !m.Exact && m.Largest != 0 {
			t.Errorf("got %+v", m)
		}
		if m.Exact {
			searched++
		} else if m.packets() > 20 {
			t.Errorf("%d packets without a search", m.packets())
		}
	}
	if searched != 2 {
		t.Errorf("%d searches, want 2", searched)
	}
	m := s.ask(t, 1420, 1500*ms, one)[0]
	if m.Outcome != probe.Silent || m.Exact || m.Searching || m.Largest == 0 || m.Largest > 1328 || m.Took > 2*time.Second {
		t.Errorf("cut short: got %+v", m)
	}
	if m := s.ask(t, 1420, 300*ms, one)[0]; m.Outcome != probe.Pending || m.Over || m.Took > 500*ms {
		t.Errorf("cut before it was known: got %+v", m)
	}
}
