package vpn

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestOdds(t *testing.T) {
	for _, p := range []float64{.01, .02, .05, .1, .2, .3} {
		alarm, sent := Odds(p, 5, 20, 20)
		t.Logf("%3.0f%%  alarm %.4f%%  packets %.2f", 100*p, 100*alarm, sent)
	}
	// Against a simulation.
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range []float64{.05, .2, .3} {
		const checks = 200_000
		alarms, packets := 0, 0
		for range checks {
			lost, n := 0, 0
			for n < 5 || n < 20 && 100*lost >= 20*n {
				n++
				if random.Float64() < p {
					lost++
				}
			}
			packets += n
			if 100*lost >= 20*n {
				alarms++
			}
		}
		alarm, sent := Odds(p, 5, 20, 20)
		got, gotSent := float64(alarms)/checks, float64(packets)/checks
		if math.Abs(got-alarm) > 5*math.Sqrt(alarm*(1-alarm)/checks) || math.Abs(gotSent-sent) > .1 {
			t.Errorf("p %v: computed %v and %v packets, simulated %v and %v", p, alarm, sent, got, gotSent)
		}
	}
	if alarm, sent := Odds(0, 5, 20, 20); alarm != 0 || sent != 5 {
		t.Errorf("nothing lost: %v, %v", alarm, sent)
	}
	if alarm, sent := Odds(1, 5, 20, 20); math.Abs(alarm-1) > 1e-9 || math.Abs(sent-20) > 1e-9 {
		t.Errorf("all lost: %v, %v", alarm, sent)
	}
}
