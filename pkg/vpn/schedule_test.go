package vpn

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestFewDescriptors has targets wait for their turn, however few file
// descriptors there are: also none, or less, by what is kept free for others.
func TestFewDescriptors(t *testing.T) {
	for _, descriptors := range []int{-6, 0, 1} {
		p := testPlan(t, "a=10.0.0.1", "b=10.0.0.2", "c=tcp://10.0.0.3:1", "d=ike://10.0.0.4", "e=e.example")
		p.Descriptors = descriptors
		wants, _ := NewJudge(p).Step(0)
		hold := 0
		for _, l := range wants.Looks {
			if l.descriptors() > 0 {
				hold++
			}
		}
		if hold != 1 {
			t.Errorf("with %d descriptors %d looks begin at once, want 1", descriptors, hold)
		}
		for _, silent := range []string{"", "a b c d e"} {
			w := scenario{silent: silent}.world(p)
			want := map[string]string{"": "OK up", "a b c d e": "CRITICAL down"}[silent]
			if got := causesOf(Imagine(p, w)); got != want {
				t.Errorf("with %d descriptors, silent %q: got %s, want %s", descriptors, silent, got, want)
			}
		}
	}
}

// TestFewDescriptorsMeasure has as many hosts measured as there are descriptors for.
func TestFewDescriptorsMeasure(t *testing.T) {
	p := simPlan(60)
	p.Descriptors = 10
	rng := rand.New(rand.NewPCG(1, 1))
	measured := map[int]bool{}
	w := World{Trip: 20 * ms, Echo: func(l Look, _ time.Duration, _ int) (time.Duration, bool) {
		if l.Kind == LossLook {
			measured[l.Target] = true
		}
		return 20 * ms, rng.Float64() >= .4
	}}
	if v := Imagine(p, w); causesOf(v) != "WARNING degraded" || len(measured) != 10 {
		t.Errorf("got %s by %d hosts", causesOf(v), len(measured))
	}
}
