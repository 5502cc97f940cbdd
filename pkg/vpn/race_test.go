//go:build race

package vpn

const raceDetector = true
