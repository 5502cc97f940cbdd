//go:build document

package plugin

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jessevdk/go-flags"

	"checkvpn/pkg/manual"
	"checkvpn/pkg/nagios"
)

// With the build tag document, a plugin does not check anything: it writes what
// is installed beside it. So all that is special about a tunnel stays in its
// folder, and the plugins that are installed carry nothing of this.

func init() { document = writeDocument }

// writeDocument writes the man page, the completion for bash or zsh, or all that
// they are made of, for what is made of several plugins, as the only argument
// says.
func writeDocument(t Tunnel, args []string, stdout io.Writer) int {
	write := map[string]func(manual.Page) string{
		"man": manual.Page.Man, "bash": manual.Page.Bash, "zsh": manual.Page.Zsh, "json": manual.Page.JSON,
	}
	if len(args) != 1 || write[args[0]] == nil {
		fmt.Fprintln(stdout, "UNKNOWN: this program was built to write documents: want man, bash, zsh or json")
		return nagios.Unknown.ExitCode()
	}
	if _, err := io.WriteString(stdout, write[args[0]](page(t))); err != nil {
		return nagios.Unknown.ExitCode()
	}
	return 0
}

func page(t Tunnel) manual.Page {
	p := manual.Page{
		Program:  t.program(),
		Brief:    "check that the " + t.Title + " carries traffic",
		About:    t.About + " Line 1 says whether traffic passes, what broke and what that means for people. What to do, the targets and the figures follow.",
		Version:  "checkvpn " + version,
		Date:     date(),
		Sections: sections(t),
		INI:      manual.INI{Variables: fileVariables, Names: fileNames, Files: usualFiles},
	}
	for _, g := range newParser(t, &options{}).Groups() {
		group := manual.Group{Title: g.ShortDescription}
		for _, o := range g.Options() {
			if !o.Hidden {
				group.Options = append(group.Options, option(o))
			}
		}
		p.Groups = append(p.Groups, group)
	}
	for _, e := range t.Examples {
		p.Examples = append(p.Examples, manual.Example{Command: t.program() + " " + e})
	}
	p.Examples = append(p.Examples, manual.Example{
		Text:    "What the last of these would do, without sending anything:",
		Command: t.program() + " " + t.Examples[len(t.Examples)-1] + " --explain",
	})
	return p
}

func option(o *flags.Option) manual.Option {
	m := manual.Option{
		Long: o.LongName, Value: o.ValueName, Default: strings.Join(o.Default, " "), Help: o.Description,
		Repeats:   o.Field().Type.Kind() == reflect.Slice,
		Section:   o.OptionalArgument,
		NoCheck:   slices.Contains([]string{"help", "version", "explain", "replay"}, o.LongName),
		HostCheck: o.LongName == "host-check",
	}
	if o.ShortName != 0 {
		m.Short = string(o.ShortName)
	}
	return m
}

// date is that of the sources, so that a page can be made again alike
// (reproducible-builds.org, SOURCE_DATE_EPOCH).
func date() string {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
}

// sections are the parts of the page that hold for all plugins.
func sections(t Tunnel) []manual.Section {
	return []manual.Section{
		{Title: "Targets", Paragraphs: []string{
			"A TARGET is [NAME[/GROUP]=]URL. The scheme of the URL says what is asked:",
			targetForms,
			"Of a name with several addresses the first eight are asked, and any may answer. For near and peer targets a refusal is an answer, too: something is alive there.",
		}},
		{Title: "Exit status", Terms: []manual.Term{
			{Name: "0", Text: "OK: everything asked for holds."},
			{Name: "1", Text: "WARNING: the tunnel carries traffic and something is wrong, or it carries none and that can wait."},
			{Name: "2", Text: "CRITICAL: the tunnel carries no traffic, or too little, or traffic that is unsafe, too slow or of no use."},
			{Name: "3", Text: "UNKNOWN: a fault of the check itself: bad arguments, no permission, no time. Also after -h, -V, --explain and -o plan."},
		}, Paragraphs: []string{
			"An outage is never UNKNOWN, and a fault of the check is never OK or CRITICAL, unless -t says so. With --host-check it is 2 if the tunnel is down for any cause or what is asked is filtered, and 0 if not.",
		}},
		{Title: "Output", Paragraphs: []string{
			"Line 1 stands alone: the state, the environment, the tunnel, what broke, and what that means. If several things are wrong the worst leads, and the others are named. Below it, in this order:",
			"  Cause:       one word, by which a runbook is sorted; --runbook makes it a link\n" +
				"  1. 2. 3.     what to do, unless the state is OK\n" +
				"  Contact:     whom to call, likewise; by --contact\n" +
				"  [STATE] ...  the near gateways, the peers, then the other targets, worst first\n" +
				"  path to ...  what else was measured: how far packets get, what an interface counted\n" +
				"  |...         figures of each target; those of all together stand on line 1",
			"Targets of a group, and four or more of a role, that all say the same share a line; -v gives each its own, with its packets. If all is well there is no cause and no advice.",
			"On a terminal the targets are a table, with their packets as marks: a dot was answered, an x was lost, a question mark was not tested, the result was known before. Figures are left out.",
			"With -o json it is one JSON object. With -o ticket it is text to paste into a vendor's ticket: what was found, from where to where, what was sent and what came back, and no advice.",
			"With -o events it is all that happens, a line of JSON each, and the JSON object at the end. Keep that in a file, and --replay judges it in place of the network: with other limits, or for whoever looks for a mistake in the plugin. It has addresses and names, but no paths of URLs, no environment and no other arguments.",
		}},
		{Title: "Files", Paragraphs: []string{
			"--extra-opts reads options from a section of the first of these files that has it, and from a file of any name after an @:",
			"  " + strings.Join(usualFiles, "\n  "),
			"In them a key is the long name of an option, and a key alone is a flag. A repeated key repeats the option. A line that begins with # or ; is a comment. There is no quoting. Of options that do not repeat the command line wins.",
		}},
		{Title: "Environment", Paragraphs: []string{
			"Before those files, each directory of " + strings.Join(fileVariables, " and ") + " is looked through for " + strings.Join(fileNames, ", ") + ".",
			"NO_COLOR turns colours off, and TERM=dumb turns off colours and the line of progress.",
		}},
		{Title: "Permissions", Paragraphs: []string{
			"Echo requests need one of these, tried in this order: the group of the user lies within the sysctl net.ipv4.ping_group_range, which serves IPv6 too; or the program has a capability:",
			"  setcap cap_net_raw+ep " + t.program(),
			"Never make it setuid. All other questions need no permission. With --explain the program says which of these it will use, or what is missing.",
		}},
		{Title: "See also", Paragraphs: []string{
			"check_vpn_office(1), check_vpn_dr(1), check_vpn_licensing(1), ping(8), setcap(8)",
		}},
	}
}
