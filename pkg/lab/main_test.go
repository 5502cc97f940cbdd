package lab_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(inSite); task != "" {
		os.Exit(program(task))
	}
	flag.Set("test.parallel", "8") // they mostly wait; the command line may say otherwise
	code, err := lab.Run(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
