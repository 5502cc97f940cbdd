package probe_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/probe"
)

// BenchmarkEcho is the first look at targets that answer, on the loopback, with
// as little waiting as there can be. What it costs is the processor's time: that
// of the answering kernel is part of it.
func BenchmarkEcho(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				prober := probe.NewProber(probe.Settings{Packets: 5, MaxPackets: 5, Interval: ms, Wait: 600 * ms})
				var all sync.WaitGroup
				for i := range n {
					all.Go(func() {
						addr := netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i)})
						p := prober.New(probe.Endpoint{Scheme: probe.ICMP, Addr: addr}, probe.Path{})
						p.Run(context.Background())
						if r := p.Result(); r.Received() != 5 {
							b.Errorf("%d of 5 answered: %v", r.Received(), r.Reason())
						}
					})
				}
				all.Wait()
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
