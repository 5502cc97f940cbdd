package main

import (
	"flag"
	"fmt"
	"os"

	"checkvpn/pkg/lab"
)

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "scenarios whose name matches this regular expression")
	flag.BoolVar(&o.show, "show", false, "print what the plugins say, in place of the table")
	flag.StringVar(&o.record, "record", "", "folder to write a recording of each cause and kind of tunnel into")
	random := flag.Int("random", 0, "in place of the table, run this many random argument lists")
	seed := flag.Uint64("seed", 0, "of the random argument lists; 0 draws one")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "scenario [OPTIONS] [demo|verdicts|faults ...]; all without a name")
		flag.PrintDefaults()
	}
	flag.Parse()
	lab.Main(func() int {
		wrong, err := 0, error(nil)
		if *random > 0 {
			wrong, err = runRandom(os.Stdout, *random, *seed)
		} else {
			wrong, err = run(os.Stdout, chosen(flag.Args()...), o)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return min(wrong, 1)
	})
}
