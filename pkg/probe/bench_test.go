package probe

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/vpn"
)

// BenchmarkEcho is the first look at targets that answer, on the loopback, with
// as little waiting as there can be. What it costs is the processor's time: that
// of the answering kernel is part of it.
func BenchmarkEcho(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			var looks []vpn.Look
			for i := range n {
				looks = append(looks, vpn.Look{Kind: vpn.FirstLook, Target: i, Addr: netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i)}), Packets: 5, Spacing: ms})
			}
			for b.Loop() {
				heard, began := make(chan vpn.Event, 100), time.Now()
				p := New(Settings{Questions: make([]Question, n), Now: func() time.Duration { return time.Since(began) }, Emit: func(e vpn.Event) { heard <- e }})
				p.Want(b.Context(), looks)
				for range 2 * 5 * n {
					if e := <-heard; e.Kind != vpn.Sent && e.Kind != vpn.Answered {
						b.Fatalf("got %+v", e)
					}
				}
				p.Close()
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// processorTime is what this process has used of it so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
