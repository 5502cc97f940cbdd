package plugin

import (
	"fmt"
	"testing"
	"time"

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
			v := vpn.Imagine(&p.Plan, vpn.World{Trip: 20 * time.Millisecond})
			b.ReportAllocs()
			for b.Loop() {
				render(testTunnel(), p, v)
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
