package vpn

import (
	"math"
	"math/big"
	"testing"

	"checkvpn/pkg/nagios"
)

// The cases of the design: how many packets of one host, beside those of others,
// must be lost to name it among k.
func TestChanceOfCases(t *testing.T) {
	for _, c := range []struct {
		k, lost, sent, othersLost, others int
		named                             bool
	}{
		{14, 7, 35, 0, 65, false}, {14, 7, 35, 0, 100, true},
		{14, 8, 35, 2, 115, false}, {14, 9, 35, 2, 115, true},
		{14, 14, 35, 8, 80, false}, {14, 16, 35, 8, 80, true},
		{100, 7, 35, 5, 530, true},
		{2, 7, 35, 0, 16, false}, {2, 9, 35, 0, 40, false}, {2, 10, 35, 0, 40, true},
		{1, 35, 35, 0, 0, false}, // nobody to compare with
	} {
		p := chance(c.sent, c.lost, c.others, c.othersLost)
		if named := p <= maxChance/float64(c.k); named != c.named {
			t.Errorf("%d of %d beside %d of %d, %d hosts: chance %.3g, named %v", c.lost, c.sent, c.othersLost, c.others, c.k, p, named)
		}
	}
}

// TestChanceIsExact compares with whole numbers.
func TestChanceIsExact(t *testing.T) {
	choose := func(n, k int) *big.Int { return new(big.Int).Binomial(int64(n), int64(k)) }
	for sent := 1; sent <= 12; sent++ {
		for others := 0; others <= 15; others++ {
			for lost := 0; lost <= sent; lost++ {
				for othersLost := 0; othersLost <= others; othersLost++ {
					all := lost + othersLost
					ways := new(big.Int)
					for i := lost; i <= min(sent, all); i++ {
						ways.Add(ways, new(big.Int).Mul(choose(sent, i), choose(others, all-i)))
					}
					want, _ := new(big.Rat).SetFrac(ways, choose(sent+others, all)).Float64()
					if got := chance(sent, lost, others, othersLost); math.Abs(got-want) > 1e-9*want {
						t.Fatalf("%d of %d beside %d of %d: %g, want %g", lost, sent, othersLost, others, got, want)
					}
				}
			}
		}
	}
	if p := chance(1000, 600, 250000, 3000); p != 0 && !(p < 1e-300) {
		t.Errorf("a chance beyond what can be written is %g", p)
	}
}

func TestSureLoss(t *testing.T) {
	for _, c := range []struct {
		limit            string
		lost, sent, rest int
		want             bool
	}{
		{"20", 4, 5, 0, false}, {"20", 5, 25, 0, true}, {"20", 5, 26, 20, false}, {"20", 7, 35, 28, true},
		{"10:20", 5, 35, 0, false}, {"10:20", 8, 35, 0, true}, {"15:20", 5, 35, 0, true}, {"15:20", 5, 35, 1, false},
		{"@5:30", 5, 35, 5, true}, {"@5:30", 5, 35, 6, false},
		{"0", 4, 35, 0, false}, {"0", 5, 35, 0, true}, {"100", 34, 35, 0, false}, {"100", 35, 35, 0, true},
	} {
		pair, err := nagios.ParsePair("1," + c.limit + "%")
		if err != nil {
			t.Fatal(err)
		}
		if got := isSure(pair.Loss, c.lost, c.sent, c.rest); got != c.want {
			t.Errorf("%s: %d of %d lost and %d not known: %v, want %v", c.limit, c.lost, c.sent, c.rest, got, c.want)
		}
	}
	if isSure(nagios.Limit{}, 35, 35, 0) {
		t.Error("a limit that is not set alerts")
	}
}
