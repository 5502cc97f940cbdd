package vpn

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkStep is one judgement of a check under way.
func BenchmarkStep(b *testing.B) {
	for _, n := range []int{1, 14, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var targets []string
			for i := range n {
				targets = append(targets, fmt.Sprintf("t%d=10.1.%d.%d", i, i/250, 1+i%250))
			}
			j := NewJudge(testPlan(b, targets...))
			wants, _ := j.Step(0)
			for _, l := range wants.Looks {
				for k := range l.Packets {
					j.Add(Event{Kind: Sent, Target: l.Target, Look: l.Kind, Addr: l.Addr, Seq: l.First + k, At: time.Duration(k)})
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				j.Step(time.Millisecond)
			}
		})
	}
}
