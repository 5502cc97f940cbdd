package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// newTools builds the plugins as `make build` does, and makes certificates.
func newTools() (t *tools, err error) {
	t = &tools{}
	if t.plugins, err = os.MkdirTemp("", "check-vpn-faults-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if err = os.Chmod(t.plugins, 0o755); err != nil { // some plugins run as nobody
		return nil, err
	}
	t.stepped = filepath.Join(t.plugins, "stepped")
	if err = build(t.plugins); err != nil {
		return nil, err
	}
	if err = buildStepped(t.stepped); err != nil {
		return nil, err
	}
	t.certs, err = newCertificates(t.plugins)
	return t, err
}

func (t *tools) close() { os.RemoveAll(t.plugins) }

func build(dir string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", dir + "/"}, flags...)
	for _, p := range plugins {
		args = append(args, "checkvpn/"+p.name)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the plugins: %w\n%s", err, text)
	}
	return nil
}
