package probe

import (
	"fmt"
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(askingOf); text != "" {
		if err := askAsProgram(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code, err := lab.Run(func() int {
		// If the lab made a network of its own, nothing is up in it yet.
		if lo, err := netlink.LinkByName("lo"); err == nil {
			_ = netlink.LinkSetUp(lo)
		}
		return m.Run()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
