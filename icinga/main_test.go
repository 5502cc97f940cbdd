// Package icinga_test runs the configuration of this folder in the real
// daemons, over the tunnels of the laboratory.
package icinga_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"checkvpn/pkg/lab"
)

// plugins is the folder of the three plugins and the generator, built once. Every user may read
// it, because daemons give up root.
var plugins string

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "40") // they mostly wait, some for one another
	code, err := lab.Run(func() int {
		if err := buildPlugins(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(plugins)
		return m.Run()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildPlugins() (err error) {
	if plugins, err = os.MkdirTemp("", "check-vpn-plugins-"); err != nil {
		return err
	}
	if err := os.Chmod(plugins, 0o755); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-o", plugins+"/", "../check_vpn_office", "../check_vpn_dr", "../check_vpn_licensing", "./generate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
