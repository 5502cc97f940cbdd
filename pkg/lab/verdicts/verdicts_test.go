package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	code, err := lab.Run(m.Run)
	if err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func TestVerdicts(t *testing.T) {
	var table strings.Builder
	wrong, err := run(&table, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	if wrong > 0 {
		t.Errorf("%d verdicts are wrong", wrong)
	}
}
