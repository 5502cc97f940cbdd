package documents_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is what a new tunnel may take, in lines.
const maxLines = 80

// TestFourthTunnel does what the README says, with the file that it shows. The
// file is laid over the sources, so that nothing is changed here.
func TestFourthTunnel(t *testing.T) {
	text, err := os.ReadFile(top + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	code := codeAfter(string(text), "Make `check_vpn_supplier/main.go`:")
	if n := strings.Count(code, "\n"); n < 20 || n > maxLines {
		t.Fatalf("the file has %d lines:\n%s", n, code)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gofmt", "-l", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v, %s", err, out)
	}
	here, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here + "/check_vpn_supplier/main.go": file}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/overlay.json", overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	// The other step of the recipe: the folder is one of PLUGINS.
	cmd := exec.Command("make", "build", "docs", "PLUGINS=check_vpn_supplier", "BIN="+dir, "DOC="+dir+"/documents")
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "GOFLAGS=-overlay="+dir+"/overlay.json -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"-H 127.0.0.1 -E staging", 0, "OK: staging supplier VPN up: "},
		{"-H tcp://127.0.0.1:1", 1, "WARNING: supplier VPN down: the only machine asked refuses: connection refused. Orders wait until it is back"},
		{"-H 127.0.0.1 --service orders=tcp://127.0.0.1:1", 1, "WARNING: supplier VPN up, but 1 of 1 service targets fails: orders (connection refused). Orders wait, and it is not the VPN"},
		{"-H 127.0.0.1 -o json", 0, `"tunnel":"supplier"`},
		{"-h", 3, "--service"},
		{"-H 10.9.0.1 --explain", 3, "Orders wait until it is back"},
	} {
		cmd := exec.Command(dir+"/check_vpn_supplier", strings.Fields(test.args)...)
		out, _ := cmd.Output()
		if got := cmd.ProcessState.ExitCode(); got != test.code || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: exit code %d, %s", test.args, got, out)
		}
	}
	for _, path := range []string{"/documents/man/check_vpn_supplier.1", "/documents/bash/check_vpn_supplier", "/documents/zsh/_check_vpn_supplier"} {
		if text, err := os.ReadFile(dir + path); err != nil || !strings.Contains(strings.ReplaceAll(string(text), `\-`, "-"), "--service") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// codeAfter is the indented block that follows a line.
func codeAfter(text, line string) string {
	_, text, _ = strings.Cut(text, line+"\n\n")
	var code strings.Builder
	for l := range strings.Lines(text) {
		l, indented := strings.CutPrefix(l, "    ")
		if !indented && strings.TrimSpace(l) != "" {
			break
		}
		code.WriteString(l)
	}
	return strings.TrimSpace(code.String()) + "\n"
}
