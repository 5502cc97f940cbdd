package lab_test

import (
	"flag"
	"os"
	"testing"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(inSite); task != "" {
		os.Exit(program(task))
	}
	flag.Set("test.parallel", "8") // they mostly wait; the command line may say otherwise
	lab.Main(m.Run)
}
