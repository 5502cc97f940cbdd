package vpn

import (
	"fmt"
	"testing"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
)

// behind is so many far targets in groups of four, all of which came to the
// same.
func behind(b *testing.B, n int, r probe.Result) []Observation {
	b.Helper()
	var pairs []any
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("far m%d/g%d=10.3.%d.%d", i, i/4, i/250, 1+i%250), r)
	}
	return watch(b, pairs...)
}

func usualLimits(b *testing.B) Limits {
	b.Helper()
	warning, err := nagios.ParsePair("100,20%")
	if err != nil {
		b.Fatal(err)
	}
	critical, err := nagios.ParsePair("500,60%")
	if err != nil {
		b.Fatal(err)
	}
	return Limits{Warning: warning, Critical: critical, MinFar: 1, Partial: nagios.Warning}
}

// BenchmarkJudge judges a healthy tunnel once.
func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{1, 14, 1000} {
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			limits, evidence := usualLimits(b), behind(b, n, fine)
			b.ReportAllocs()
			for b.Loop() {
				Judge(limits, evidence)
			}
		})
	}
}

// BenchmarkSettled is the question of a check of a dead tunnel, every few
// milliseconds, whether waiting can still change anything.
func BenchmarkSettled(b *testing.B) {
	for _, n := range []int{1, 14, 1000} {
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			quiet := silent
			quiet.Attempts, quiet.Left = quiet.Attempts[:5], 15
			limits, evidence := usualLimits(b), behind(b, n, quiet)
			b.ReportAllocs()
			for b.Loop() {
				Settled(limits, evidence, 600*ms)
			}
		})
	}
}
