// Added to a plugin by a test: its wall clock steps a minute forth and back.
package main

import (
	"fmt"
	"os"
	"time"
	_ "unsafe" // for linkname
)

//go:linkname vdsoClockGettime runtime.vdsoClockgettimeSym
var vdsoClockGettime uintptr

// steppingClock is clock_gettime for the runtime, by the C calling convention.
func steppingClock()

// address gives that of steppingClock as C needs it.
func address() uintptr

func init() {
	vdsoClockGettime = address()
	least, most := time.Now().Unix(), time.Now().Unix()
	for began := time.Now(); time.Since(began) < 200*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		now := time.Now().Unix()
		least, most = min(least, now), max(most, now)
	}
	if most-least < 119 {
		fmt.Fprintln(os.Stderr, "the clock does not step")
		os.Exit(9)
	}
}
