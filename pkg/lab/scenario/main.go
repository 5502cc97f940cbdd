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
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "scenario [OPTIONS] [demo|verdicts|faults ...]; all without a name")
		flag.PrintDefaults()
	}
	flag.Parse()
	lab.Main(func() int {
		wrong, err := run(os.Stdout, chosen(flag.Args()...), o)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return min(wrong, 1)
	})
}
