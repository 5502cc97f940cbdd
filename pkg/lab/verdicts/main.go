// Command verdicts breaks real tunnels of each kind in every way that the
// plugins tell apart, runs the built plugins, and prints what each said beside
// what it should have said.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"text/tabwriter"

	"checkvpn/pkg/lab"
)

func main() {
	record := flag.String("record", "", "folder to write a recording of each cause into")
	flag.Parse()
	code, err := lab.Run(func() int {
		wrong, err := run(os.Stdout, *record)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return min(wrong, 1)
	})
	if err != nil {
		fmt.Println("The verdicts need network namespaces:", err)
		code = 1
	}
	os.Exit(code)
}

// row is what came of one scenario over one kind of tunnel.
type row struct {
	scenario, tunnel string
	want, got        string // cause
	wantState, state string
	seconds          float64
	why              string // what else was wrong
}

func (r row) right() bool { return r.want == r.got && r.wantState == r.state && r.why == "" }

// run prints the table and returns how many rows are wrong.
func run(out io.Writer, record string) (wrong int, err error) {
	dir, err := os.MkdirTemp("", "check-vpn-verdicts-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // some plugins run as nobody
		return 0, err
	}
	build := exec.Command("go", "build", "-o", dir+"/", "checkvpn/check_vpn_office", "checkvpn/check_vpn_dr", "checkvpn/check_vpn_licensing")
	if text, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cannot build the plugins: %w\n%s", err, text)
	}
	tunnels := lab.Kinds()
	rows := make([][]row, len(tunnels))
	errs := make([]error, len(tunnels))
	var all sync.WaitGroup
	for i, k := range tunnels {
		all.Go(func() { rows[i], errs[i] = overKind(k, dir, record) })
	}
	all.Wait()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SCENARIO\tTUNNEL\tEXPECTED\tSAID\tSTATE\tSECONDS\t")
	total := 0
	for i := range tunnels {
		if errs[i] != nil {
			return 0, fmt.Errorf("%s: %w", tunnels[i].Name, errs[i])
		}
		for _, r := range rows[i] {
			total++
			mark := ""
			if !r.right() {
				wrong++
				mark = "WRONG " + r.why
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%.2f\t%s\n", r.scenario, r.tunnel, r.want, r.got, r.state, r.seconds, mark)
		}
	}
	table.Flush()
	fmt.Fprintf(out, "%d of %d right (%.1f%%)\n", total-wrong, total, 100*float64(total-wrong)/float64(max(1, total)))
	return wrong, nil
}

// overKind plays every scenario over one kind of tunnel.
func overKind(k lab.Kind, plugins, record string) ([]row, error) {
	w, err := newWorld(k, plugins, record)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var rows []row
	for _, s := range scenarios() {
		if s.only != "" && s.only != k.Name {
			continue
		}
		r, err := w.play(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
