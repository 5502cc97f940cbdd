package vpn

// Odds gives, for one icmp target whose packets are lost with the chance p
// (0 to 1, there and back together, each on its own), the chance that the
// packet loss ends at or above limit percent, and the packets that a check
// sends on average.
//
// It is the arithmetic of the second look. The first look is so many packets.
// When the share of lost ones is below the limit it ends there, which for five
// packets and 20% happens with the chance (1-p)^5. Otherwise one packet follows
// another until the share is below the limit, or until most are sent; only then
// is it an alarm. So a healthy way costs little more than the first look, and
// doubt costs more.
// With 5 packets at first, 20 at most and a limit of 20%:
//
//	p      alarm     packets
//	 1%    0.0007%    5.06
//	 2%    0.010%     5.13
//	 5%    0.30%      5.45
//	10%    3.2%       6.39
//	20%   22%         9.61
//	30%   50%        13.4
//
// The plugin itself may send a few more, because it does not wait for one
// answer before the next packet leaves, and because an answer that is still to
// come could be a slow one.
func Odds(p float64, packets, most int, limit float64) (alarm, sent float64) {
	// chance[l] is that of having lost l of the packets so far and going on.
	chance := make([]float64, most+2)
	chance[0] = 1
	for n := 1; n <= most; n++ {
		for l := n; l >= 0; l-- {
			chance[l] *= 1 - p
			if l > 0 {
				chance[l] += chance[l-1] * p
			}
		}
		if n < packets {
			continue
		}
		for l := 0; l <= n; l++ {
			switch below := lossOf(n, n-l) < limit; {
			case below:
				sent += chance[l] * float64(n)
				chance[l] = 0
			case n == most:
				sent += chance[l] * float64(n)
				alarm += chance[l]
			}
		}
	}
	return alarm, sent
}
