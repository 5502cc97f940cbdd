// Command check-vpn-generate makes the configuration of Icinga, Nagios and NRPE
// from the file in which the tunnels are described.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/jessevdk/go-flags"
)

type options struct {
	File    string `short:"f" long:"file" value-name:"FILE" default:"/etc/check-vpn/check_vpn.ini" description:"the file that describes the tunnels"`
	Plugins string `short:"p" long:"plugins" value-name:"DIR" description:"where the plugins are, which check their own sections (default: where this program is, or where packages put them)"`
	Args    struct {
		Form string `positional-arg-name:"icinga|zones|nagios|nrpe|nrpe-short" description:"what to print"`
	} `positional-args:"yes" required:"yes"`
}

// forms are what can be printed.
var forms = map[string]func(*bytes.Buffer, *site){
	"icinga": printIcinga,
	"zones":  printZones,
	"nagios": printNagios,
	"nrpe":   func(b *bytes.Buffer, s *site) { printNRPE(b, s, "") },
	// For clients that get no more than 1,023 bytes.
	"nrpe-short": func(b *bytes.Buffer, s *site) { printNRPE(b, s, " --perfdata=totals") },
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run prints what was asked for, all or nothing, and returns the exit code. Each
// mistake in the file is one line on stderr.
func run(args []string, stdout, stderr io.Writer) int {
	var o options
	parser := flags.NewNamedParser("check-vpn-generate", flags.HelpFlag|flags.PassDoubleDash)
	if _, err := parser.AddGroup("Options", "", &o); err != nil {
		panic(err)
	}
	left, err := parser.ParseArgs(args)
	if wrong, ok := errors.AsType[*flags.Error](err); ok && wrong.Type == flags.ErrHelp {
		fmt.Fprintln(stdout, wrong.Message)
		return 0
	}
	form := forms[o.Args.Form]
	if err == nil && (form == nil || len(left) > 0) {
		err = errors.New("want one of icinga, zones, nagios, nrpe, nrpe-short")
	}
	if err != nil {
		fmt.Fprintf(stderr, "check-vpn-generate: %v\n", err)
		return 2
	}
	s, err := readSite(o.File, pluginDir(o.Plugins))
	if err == nil && o.Args.Form == "nagios" {
		err = nagiosRefuses(s)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(stderr, "%s: %s\n", o.File, strings.TrimSpace(line))
		}
		return 1
	}
	var b bytes.Buffer
	form(&b, s)
	if _, err := b.WriteTo(stdout); err != nil {
		fmt.Fprintf(stderr, "check-vpn-generate: %v\n", err)
		return 1
	}
	return 0
}

// installed is where packages and make install put the plugins.
var installed = []string{"/usr/lib/nagios/plugins", "/usr/lib64/nagios/plugins", "/usr/local/lib/nagios/plugins"}

// pluginDir is the folder of the plugins: the one that was given, or else the
// first that has them.
func pluginDir(given string) string {
	if given != "" {
		return given
	}
	dirs := installed
	if self, err := os.Executable(); err == nil {
		dirs = append([]string{filepath.Dir(self)}, dirs...)
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "check_vpn_dr")); err == nil {
			return dir
		}
	}
	return installed[0]
}
