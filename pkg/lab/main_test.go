package lab_test

import (
	"fmt"
	"os"
	"testing"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(inSite); task != "" {
		os.Exit(program(task))
	}
	code, err := lab.Run(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
