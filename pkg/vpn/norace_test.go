//go:build !race

package vpn

const raceDetector = false
