package icinga_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestREADMELoads follows both ways that the README shows, beside the files that
// Debian's Icinga 2 brings, which have some of the same names.
func TestREADMELoads(t *testing.T) {
	t.Parallel()
	text := read(t, "../README.md")
	shown := regexp.MustCompile(`(?s)\n    (object Service .*?\n    \})\n`).FindStringSubmatch(text)
	if shown == nil || !strings.Contains(text, "`/etc/icinga2/conf.d/vpn/`") {
		t.Fatal("the README shows no service, or no folder for it")
	}
	whole := map[string]string{}
	for _, file := range shipped(t) {
		whole[file] = read(t, file)
	}
	for name, files := range map[string]map[string]string{
		"one service":    {"commands.conf": read(t, "commands.conf"), "services.conf": shown[1]},
		"the whole tree": whole,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newIcinga2(t, "readme", someNode(t), 5665, nil)
			if err := os.MkdirAll(n.path("etc/conf.d/vpn"), 0o755); err != nil {
				t.Fatal(err)
			}
			own(t, n.path("etc/conf.d"))
			stock, _ := filepath.Glob("/etc/icinga2/conf.d/*.conf")
			if len(stock) < 5 {
				t.Fatalf("the distribution has only %q", stock)
			}
			for _, file := range stock {
				write(t, n.path("etc/conf.d", filepath.Base(file)), read(t, file))
			}
			for file, text := range files {
				write(t, n.path("etc/conf.d/vpn", file), text+"\n")
			}
			n.configure(t, n.bare(pluginDir(t))+fmt.Sprintf("include_recursive %q\n", n.path("etc/conf.d")))
			if said, err := n.validate(t); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}
