package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// How a wall clock is stepped that nobody else may notice.
//
// The kernel has no namespace for CLOCK_REALTIME, and the clock of the machine
// is not ours to set. The plugins are static, so that no library can be laid
// before them. So they are built once more with two files added to their main
// packages, and nothing else changed. These put a function in the place of the
// kernel's vDSO, from which Go's runtime reads both clocks: it asks the kernel,
// and moves the wall clock a minute forth or back, changing eight times a
// second. The monotonic clock is left as it is, as a step leaves it.

// steppedFiles are added to each plugin.
var steppedFiles = []string{"clock.go", "clock_amd64.s"}

func buildStepped(dir string) error {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return err
	}
	module := strings.TrimSpace(string(out))
	replace := map[string]string{}
	for _, p := range plugins {
		for _, file := range steppedFiles {
			replace[filepath.Join(module, p.name, "zz_"+file)] = filepath.Join(module, "pkg/lab/faults/testdata/clock", file)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o644); err != nil {
		return err
	}
	return build(dir, "-overlay", overlay, "-ldflags=-checklinkname=0")
}

// stepped starts the plugin whose clock steps in place of the usual one.
func stepped(r *room, cmd *exec.Cmd) {
	cmd.Path = filepath.Join(r.tools.stepped, filepath.Base(cmd.Path))
}
