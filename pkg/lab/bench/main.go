// Command bench measures the plugins beside what people would otherwise run:
// check_icmp, check_ping and fping, as whole processes in turn, over the same
// way through the laboratory. It wants the plugins in bin/.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"checkvpn/pkg/lab"
)

func main() {
	runs := flag.Int("runs", 10, "how often each program runs in a case; slow ones run less often")
	only := flag.String("only", "", "cases whose name contains this; what is bounded is not looked at then")
	markdown := flag.String("markdown", "", "write the tables to this file too, as Markdown")
	flag.Parse()
	code, err := lab.Run(func() int {
		if err := run(os.Stdout, *runs, *only, *markdown); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	})
	if err != nil {
		fmt.Println("The benchmark needs network namespaces:", err)
		code = 1
	}
	os.Exit(code)
}

// run fails where a check said what is not so. That a bound does not hold on this
// machine is told, and is no failure.
func run(out io.Writer, runs int, only, markdown string) error {
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	r, err := w.playAll(out, runs, only)
	if err != nil {
		return err
	}
	tables := []table{r.table()}
	if only == "" {
		bounds, err := r.bounds()
		if err != nil {
			return err
		}
		tables = append(tables, bounds)
	}
	var text string
	for _, t := range tables {
		fmt.Fprintln(out, "\n"+t.text())
		text += t.markdown() + "\n"
	}
	if markdown == "" {
		return nil
	}
	return os.WriteFile(markdown, []byte(text), 0o644)
}
