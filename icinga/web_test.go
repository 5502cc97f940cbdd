//go:build web

package icinga_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"checkvpn/pkg/lab"
)

// tunnels are two services by the commands of this folder, checked when the
// test says so.
const tunnels = `
object Host "tunnels" { check_command = "dummy", vars.dummy_text = "The tunnels of production" }
template Service "tunnel" { host_name = "tunnels", check_interval = 1d, vars.vpn_extra_opts = name }
object Service "dr-production" { import "tunnel", check_command = "vpn_dr" }
object Service "licensing-production" { import "tunnel", check_command = "vpn_licensing" }
`

// TestWeb reads what Icinga Web 2 shows of two real tunnels, in a real browser.
func TestWeb(t *testing.T) {
	world := seven(t)
	dr, licensing := world.VPN(lab.DR, "production"), world.VPN(lab.Licensing, "production")
	w := newWeb(t, dr.Near.Node)
	n := newIcinga2(t, "web", dr.Near.Node, 5665, nil)
	n.configure(t, n.bare(pluginDir(t))+n.alone()+n.include(t, "vpn-commands.conf")+w.feature()+tunnels)
	n.start(t, environment(t, world))
	w.finish(t)
	shots, err := os.MkdirTemp("", "check-vpn-screenshots-")
	if err != nil {
		t.Fatal(err)
	}
	for _, scene := range []struct {
		name  string
		begin func(v *lab.VPN, machine string) error
		loss  string // of the tunnel, in the table
	}{
		{"healthy", func(*lab.VPN, string) error { return nil }, "0%"},
		{"machine-dead", func(v *lab.VPN, machine string) error { return v.Far.StopMachine(machine) }, "0%"},
		{"tunnel-dead", func(v *lab.VPN, _ string) error {
			world.Internet.SetBoth(v.Near, v.Far, lab.Conditions{CutTunnels: true})
			return nil
		}, "100%"},
	} {
		for _, err := range []error{scene.begin(dr, "mongo-4"), scene.begin(licensing, "licensing-mongo-2")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, service := range []string{"dr-production", "licensing-production"} {
			t.Run(scene.name+"/"+service, func(t *testing.T) {
				now := n.checkNow(t, "services", "tunnels!"+service)
				page := w.shows(t, service, now.Result.Output)
				page.check(t, now, scene.loss)
				shot := filepath.Join(shots, scene.name+"-"+service+".png")
				w.browse(t, address(service), "--screenshot="+shot)
				if _, err := os.Stat(shot); err != nil {
					t.Error(err)
				}
				t.Log("see", shot)
			})
		}
	}
}

func address(service string) string {
	return "icingadb/service?" + url.Values{"name": {service}, "host.name": {"tunnels"}}.Encode()
}

// webPage is a service's page, as the browser has it.
type webPage struct {
	header, output string              // text, with a state's word for each ball
	figures        map[string][]string // the rows of the table, by label: value, min, max, warning and critical
}

// shows waits until the page of a service has the first line of an output.
func (w *web) shows(t *testing.T, service, output string) webPage {
	t.Helper()
	first, _, _ := strings.Cut(output, "\n")
	var page webPage
	eventually(t, "the page has "+first, patience, func() bool {
		page = readPage(t, w.browse(t, address(service), "--dump-dom"))
		return strings.HasPrefix(page.output, strings.TrimSpace(first))
	})
	return page
}

// check holds the page against what Icinga 2 has.
func (p webPage) check(t *testing.T, now checked, loss string) {
	t.Helper()
	first, _, _ := strings.Cut(now.Result.Output, "\n")
	if !strings.HasPrefix(p.header, strings.TrimSpace(first)) {
		t.Errorf("the header begins %.200s", p.header)
	}
	// The same text, with a ball in place of each state's word and nowhere else.
	if want := ballsFor(now.Result.Output); trimmed(p.output) != want {
		t.Errorf("the page has\n%s\nwant\n%s", trimmed(p.output), want)
	}
	if strings.Count(p.output, ball) < 5 || strings.Contains(p.output, "[") {
		t.Errorf("%d balls", strings.Count(p.output, ball))
	}
	for _, datum := range now.Result.Perfdata {
		label, figure, _ := strings.Cut(fmt.Sprint(datum), "=")
		row := p.figures[label]
		fields := strings.Split(figure, ";")
		switch {
		case len(row) != 5:
			t.Errorf("no row for %s", datum)
		case strings.Contains(label, "loss") && (row[0] != fields[0] || row[3] != fields[1]+"%" || row[4] != fields[2]+"%"):
			t.Errorf("%s is shown as %v", datum, row)
		}
	}
	if row := p.figures["loss"]; len(row) != 5 || row[0] != loss || row[3] != "20%" || row[4] != "60%" {
		t.Errorf("loss is shown as %v", row)
	}
}

// ball stands for a ball in the text of a page, before the state's word.
const ball = "(o) "

// ballsFor is what a page shall have for an output.
func ballsFor(output string) string {
	lines := strings.Split(trimmed(output), "\n")
	for i, line := range lines {
		if state, rest, ok := strings.Cut(line, "] "); ok && strings.HasPrefix(state, "[") {
			lines[i] = ball + strings.ToLower(state[1:]) + " " + rest
		}
	}
	return strings.Join(lines, "\n")
}

// trimmed is a text without space at the ends of lines.
func trimmed(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}

// readPage takes a page's text and its table of figures.
func readPage(t *testing.T, dom string) webPage {
	t.Helper()
	root, err := html.Parse(strings.NewReader(dom))
	if err != nil {
		t.Fatal(err)
	}
	page := webPage{figures: map[string][]string{}}
	for node := range root.Descendants() {
		switch {
		case node.Type == html.ElementNode && has(node, "plugin-output"):
			if page.header == "" {
				page.header = text(node)
			} else {
				page.output = text(node)
			}
		case node.Data == "tr" && node.Parent.Data == "tbody":
			var cells []string
			for cell := range node.ChildNodes() {
				if cell.Data == "td" {
					cells = append(cells, strings.TrimSpace(text(cell)))
				}
			}
			if len(cells) == 7 {
				page.figures[cells[1]] = cells[2:]
			}
		}
	}
	return page
}

// text is what a node says, with a word for each ball.
func text(node *html.Node) string {
	var b strings.Builder
	for n := range node.Descendants() {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && has(n, "state-ball"):
			_, state, _ := strings.Cut(class(n), " state-")
			b.WriteString(ball + state)
		}
	}
	return b.String()
}

func class(node *html.Node) string {
	for _, a := range node.Attr {
		if a.Key == "class" {
			return a.Val
		}
	}
	return ""
}

func has(node *html.Node, name string) bool {
	return strings.Contains(" "+class(node)+" ", " "+name+" ")
}
