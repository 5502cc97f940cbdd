package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	code, err := lab.Run(m.Run)
	if err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func TestFaults(t *testing.T) {
	var table strings.Builder
	wrong, err := run(&table, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	if wrong > 0 {
		t.Errorf("%d rows are wrong", wrong)
	}
}

func TestRandomArguments(t *testing.T) {
	var said strings.Builder
	wrong, err := runRandom(&said, 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(said.String())
	if wrong > 0 {
		t.Errorf("%d are wrong", wrong)
	}
}

// TestReproducible has make build the plugins in two folders, and finds them the
// same to the byte, with no trace of the folder in them.
func TestReproducible(t *testing.T) {
	var built [2]string
	for i := range built {
		dir := filepath.Join(t.TempDir(), strings.Repeat("no-trace-of-it", i+1))
		for _, part := range []string{"Makefile", "go.mod", "go.sum", "pkg", "check_vpn_office", "check_vpn_dr", "check_vpn_licensing"} {
			if err := copyTree(filepath.Join("../../..", part), filepath.Join(dir, part)); err != nil {
				t.Fatal(err)
			}
		}
		// The version comes from git otherwise.
		if text, err := exec.Command("make", "-C", dir, "build", "VERSION=1.2.3").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		built[i] = dir
	}
	for _, p := range plugins {
		var text [2][]byte
		for i, dir := range built {
			var err error
			if text[i], err = os.ReadFile(filepath.Join(dir, "bin", p.name)); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text[i], []byte("no-trace-of-it")) {
				t.Errorf("%s holds the name of the folder that it was built in", p.name)
			}
		}
		if sha256.Sum256(text[0]) != sha256.Sum256(text[1]) {
			t.Errorf("%s differs between two folders", p.name)
		}
	}
}

// copyTree copies a file or a folder.
func copyTree(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
