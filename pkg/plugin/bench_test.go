package plugin

import (
	"fmt"
	"testing"
	"time"

	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// BenchmarkReport makes the output of a check with figures of every target.
func BenchmarkReport(b *testing.B) {
	for _, n := range []int{1, 14, 1000} {
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			args := []string{"--perfdata=all"}
			for i := range n {
				args = append(args, "-H", fmt.Sprintf("m%d=10.3.%d.%d", i, i/250, 1+i%250))
			}
			p := planOf(b, args...)
			evidence := make([]vpn.Observation, n)
			for i, t := range p.targets {
				r := probe.Result{Addr: t.Endpoint.Addr, FirstLookOver: true}
				for range 5 {
					r.Attempts = append(r.Attempts, probe.Attempt{Outcome: probe.Answered, Took: 20 * time.Millisecond})
				}
				evidence[i] = vpn.Observation{Target: t, Result: r}
			}
			v, now := vpn.Judge(p.limits, evidence), time.Now()
			b.ReportAllocs()
			for b.Loop() {
				speak(testTunnel(), p, v, now)
			}
		})
	}
}

// BenchmarkArguments reads the arguments and makes the plan.
func BenchmarkArguments(b *testing.B) {
	for _, n := range []int{1, 14, 1000} {
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			var args []string
			for i := range n {
				args = append(args, "-H", fmt.Sprintf("m%d=10.3.%d.%d", i, i/250, 1+i%250))
			}
			b.ReportAllocs()
			for b.Loop() {
				planOf(b, args...)
			}
		})
	}
}
