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

// TestFourthTunnel does what the example of package plugin says, with its code.
// The files are laid over the sources, so that nothing is changed here.
func TestFourthTunnel(t *testing.T) {
	code := strings.Replace(readFile(t, "pkg/plugin/example_test.go"), "package plugin_test", "package main", 1)
	if n := strings.Count(code, "\n"); n < 20 || n > maxLines {
		t.Fatalf("the example has %d lines", n)
	}
	const line = "func main() { os.Exit(plugin.Run(supplier(), os.Args[1:], os.Stdout)) }"
	if !strings.Contains(code, line) {
		t.Errorf("the example does not show %s", line)
	}
	here, err := filepath.Abs(top)
	must(t, err)
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range map[string]string{
		"tunnel.go": code,
		"main.go":   "package main\n\nimport (\n\t\"os\"\n\n\t\"checkvpn/pkg/plugin\"\n)\n\n" + line + "\n",
	} {
		replace[here+"/check_vpn_supplier/"+name] = filepath.Join(dir, name)
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	must(t, os.WriteFile(dir+"/overlay.json", overlay, 0o600))
	// The other step of the recipe: the folder is one of PLUGINS.
	t.Setenv("GOFLAGS", "-overlay="+dir+"/overlay.json -buildvcs=false")
	shell(t, "make build docs PLUGINS=check_vpn_supplier BIN="+dir+" DOC="+dir+"/documents")
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"-H 127.0.0.1 -E staging", 0, "OK: staging supplier VPN up: "},
		{"-H tcp://127.0.0.1:1", 1, "WARNING: supplier VPN down: host tcp://127.0.0.1:1 refuses: connection refused. Orders wait until it is back"},
		{"-H 127.0.0.1 --orders shop=tcp://127.0.0.1:1", 1, "WARNING: supplier VPN up, but 1 of 1 orders targets fails: shop (connection refused). Orders wait, and it is not the VPN"},
		{"-H 127.0.0.1 -o json", 0, `"tunnel":"supplier"`},
		{"-h", 3, "--orders"},
		{"-H 10.9.0.1 --explain", 3, "Orders wait until it is back"},
	} {
		cmd := exec.Command(dir+"/check_vpn_supplier", strings.Fields(test.args)...)
		out, _ := cmd.Output()
		if got := cmd.ProcessState.ExitCode(); got != test.code || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: exit code %d, %s", test.args, got, out)
		}
	}
	for _, path := range []string{"/documents/man/check_vpn_supplier.1", "/documents/bash/check_vpn_supplier", "/documents/zsh/_check_vpn_supplier"} {
		if text, err := os.ReadFile(dir + path); err != nil || !strings.Contains(strings.ReplaceAll(string(text), `\-`, "-"), "--orders") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
