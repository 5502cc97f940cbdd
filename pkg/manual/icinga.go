package manual

import (
	"fmt"
	"strings"

	"checkvpn/pkg/terminal"
)

// CheckCommands is a configuration file for Icinga 2, with the check commands of
// plugins, and a constant with the names of their variables.
func CheckCommands(pages []Page) (string, error) {
	all, err := commands(pages)
	if err != nil || len(all) == 0 {
		return "", err
	}
	var b strings.Builder
	b.WriteString(icingaHeader)
	fmt.Fprintf(&b, "template CheckCommand \"vpn\" {\n"+
		"  /* Above the plugin's own -t, which is 10 s: it always speaks first. */\n"+
		"  timeout = %ds\n\n  arguments = {\n", commandTimeout)
	writeArguments(&b, all[0].common)
	b.WriteString("  }\n}\n")
	var names []string
	for _, c := range all {
		fmt.Fprintf(&b, "\nobject CheckCommand %s {\n  import \"vpn\"\n  command = [ PluginDir + %s ]\n",
			icingaString(c.name), icingaString("/check_"+c.name))
		if len(c.own) > 0 {
			b.WriteString("\n  arguments += {\n")
			writeArguments(&b, c.own)
			b.WriteString("  }\n")
		}
		b.WriteString("}\n")
		names = append(names, icingaString(c.name))
	}
	fmt.Fprintf(&b, icingaHosts, strings.Join(names, ", "), hostPrefix, servicePrefix)
	writeVariables(&b, all)
	return b.String(), nil
}

// writeVariables writes a constant that lists the variables of each command.
func writeVariables(b *strings.Builder, all []command) {
	b.WriteString("\n/* The variables of each command, against which a name can be held. */\n")
	fmt.Fprintf(b, "var common = [%s]\n\nconst VpnOptions = {\n", variables(all[0].common, 2))
	for _, c := range all {
		fmt.Fprintf(b, "  %s = common", strings.TrimPrefix(c.name, servicePrefix))
		if len(c.own) > 0 {
			fmt.Fprintf(b, " + [%s  ]", variables(c.own, 4))
		}
		b.WriteString("\n")
	}
	b.WriteString("}\n" + lastMakes)
}

// lastMakes has the tree of vpn-tree.conf made, where there is one and its files
// are loaded in another order.
const lastMakes = `
/* In whatever order the files are loaded, the last makes the tree, if there is one. */
if (globals.contains("VpnMake") && globals.contains("VpnTunnels")) {
  VpnMake()
}
`

// variables are names in lines of their own.
func variables(arguments []argument, indent int) string {
	var names []string
	for _, a := range arguments {
		names = append(names, icingaString(a.variable(servicePrefix)))
	}
	return "\n" + strings.Repeat(" ", indent) + terminal.Wrap(strings.Join(names, ", "), 80, indent) + "\n"
}

func writeArguments(b *strings.Builder, arguments []argument) {
	for _, a := range arguments {
		fmt.Fprintf(b, "    %s = {\n", icingaString(a.key))
		name := "value"
		if a.kind == flag {
			name = "set_if"
		}
		fmt.Fprintf(b, "      %s = \"$%s$\"\n", name, a.variable(servicePrefix))
		switch {
		case a.kind == letter:
			b.WriteString("      skip_key = true\n")
		case a.Section: // its value may be left out, so that it must not stand alone
			b.WriteString("      separator = \"=\"\n")
		}
		fmt.Fprintf(b, "      description = %s\n    }\n", icingaString(a.about()))
	}
}

// icingaString is a string in Icinga's language.
func icingaString(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text) + `"`
}

const icingaHeader = `/* The check commands, with every option of the plugins as a variable: --min-far is
 * vpn_min_far. They run here and, by command_endpoint, on another host.
 *
 * Written by make samples from the options of the plugins: do not edit.
 *
 * An array repeats an option. Where a host has the file of --extra-opts, a section
 * is enough: vars.vpn_extra_opts = "dr-production".
 */

`

const icingaHosts = `
/* The same for the checks of hosts: vpn_office_host and so on, with --host-check,
 * and with variables vpn_host_min_far and so on, as the services of a host see the
 * variables of that host, too.
 *
 *   check_command = "vpn_dr_host"
 *   vars.vpn_host_extra_opts = "dr-production"
 */
for (name in [ %s ]) {
  object CheckCommand name + "_host" use (name) {
    import name
    command += [ "--host-check" ]
    for (option => argument in arguments) {
      for (key in [ "value", "set_if" ]) {
        if (argument.contains(key)) {
          argument[key] = argument[key].replace("$%[3]s", "$%[2]s")
        }
      }
    }
  }
}
`
