package probe_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(askAt); url != "" {
		os.Exit(askOnce(url))
	}
	if addresses := os.Getenv(askMTUOf); addresses != "" {
		os.Exit(askMTU(addresses))
	}
	code, err := lab.Run(func() int {
		// Where the lab made a network of its own, nothing is up in it yet.
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
