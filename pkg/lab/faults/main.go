// Command faults shows each of the built plugins faults of the machine, of the
// network and of far ends that mean harm, and prints what each said beside what
// it should have said. A plugin must end within -t, with the right exit code
// and cause, one valid first line, valid perfdata, and nothing on stderr.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"sync"
	"text/tabwriter"

	"checkvpn/pkg/lab"
)

func main() {
	only := flag.String("only", "", "rows whose name matches this regular expression")
	random := flag.Int("random", 0, "in place of the table, run this many random argument lists")
	seed := flag.Uint64("seed", 0, "of the random argument lists; 0 draws one")
	flag.Parse()
	code, err := lab.Run(func() int {
		var wrong int
		var err error
		if *random > 0 {
			wrong, err = runRandom(os.Stdout, *random, *seed)
		} else {
			wrong, err = run(os.Stdout, *only)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return min(wrong, 1)
	})
	if err != nil {
		fmt.Println("The faults need network namespaces:", err)
		code = 1
	}
	os.Exit(code)
}

// together is how many plays go on at once. They mostly wait.
const together = 16

func rows() []row {
	return slices.Concat(icmpRows(), sendRows(), nameRows(), tcpRows(), tlsRows(), httpRows(), ikeRows(),
		machineRows(), outputRows(), signalRows(), environmentRows(), fileRows(), replayRows(), privilegeRows())
}

// run prints the table and returns how many rows are wrong.
func run(out io.Writer, only string) (wrong int, err error) {
	matches, err := regexp.Compile(only)
	if err != nil {
		return 0, err
	}
	t, err := newTools()
	if err != nil {
		return 0, err
	}
	defer t.close()
	var list []row
	for _, r := range rows() {
		if matches.MatchString(r.name) {
			list = append(list, r.withDefaults())
		}
	}
	return print(out, list, playAll(list, t)), nil
}

// playAll has every plugin meet every row. Rows that need the machine for
// themselves come last, and with them those that went wrong in a way that a busy
// machine may be to blame for: these have a second try, alone. A wrong OK has
// none.
func playAll(list []row, t *tools) [][]result {
	results := make([][]result, len(list))
	slots := make(chan struct{}, together)
	var all sync.WaitGroup
	for i, r := range list {
		results[i] = make([]result, len(plugins))
		for plugin := range plugins {
			if r.alone {
				continue
			}
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				results[i][plugin] = r.play(t, plugin)
			})
		}
	}
	all.Wait()
	for i, r := range list {
		for plugin := range plugins {
			if r.alone {
				results[i][plugin] = r.play(t, plugin)
			}
			if res := results[i][plugin]; len(res.wrong) > 0 && !res.grave {
				results[i][plugin] = r.play(t, plugin)
			}
		}
	}
	return results
}

// print prints a line for each row.
func print(out io.Writer, list []row, results [][]result) (wrong int) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FAULT\tEXIT\tCAUSE\tOFFICE\tDR\tLICENSING\tSECONDS\tOF\t")
	var notes []string
	for i, r := range list {
		slowest := 0.0
		fmt.Fprintf(table, "%s\t%d\t%s\t", r.name, r.code, r.cause)
		isWrong := false
		for n, res := range results[i] {
			if res.harness != nil {
				res.wrong = append(res.wrong, "cannot be played: "+res.harness.Error())
			}
			slowest = max(slowest, res.took.Seconds())
			said := fmt.Sprintf("%d %s", res.code, res.cause)
			if len(res.wrong) > 0 {
				isWrong, said = true, "WRONG"
				for _, why := range res.wrong {
					notes = append(notes, fmt.Sprintf("%s, %s: %s", r.name, plugins[n].name, why))
				}
			}
			fmt.Fprintf(table, "%s\t", said)
		}
		wrong += btoi(isWrong)
		fmt.Fprintf(table, "%.2f\t%d\t\n", slowest, r.seconds)
	}
	table.Flush()
	for _, note := range notes {
		fmt.Fprintln(out, note)
	}
	fmt.Fprintf(out, "%d rows for each of %d plugins, %d of them right\n", len(list), len(plugins), len(list)-wrong)
	return wrong
}
