package manual

import (
	"fmt"
	"strings"
)

// Zsh is the completion for zsh, for a folder of its fpath, as a file named _
// and the program's name.
func (p Page) Zsh() string {
	var specs []string
	for _, o := range p.options() {
		specs = append(specs, o.zsh(p.Program))
	}
	variables := make([]string, len(p.INI.Variables))
	for i, v := range p.INI.Variables {
		variables[i] = "${(s.:.)" + v + "}"
	}
	return strings.NewReplacer(
		"PROGRAM", p.Program,
		"SPECS", strings.Join(specs, " \\\n    "),
		"VARIABLES", strings.Join(variables, " "),
		"NAMES", strings.Join(p.INI.Names, " "),
		"FILES", strings.Join(p.INI.Files, " "),
	).Replace(zshScript)
}

// zsh is the option as a specification for _arguments.
func (o Option) zsh(program string) string {
	names := o.dashed()
	for i, name := range names {
		switch {
		case o.Section:
			names[i] = name + "=-"
		case o.Value != "" && strings.HasPrefix(name, "--"):
			names[i] = name + "="
		case o.Value != "":
			names[i] = name + "+"
		}
	}
	spec := "'" + strings.Join(names, "") + "'"
	if len(names) > 1 {
		spec = "{" + strings.Join(names, ",") + "}"
	}
	switch {
	case o.Repeats:
		spec = `'*'` + spec
	case len(names) > 1:
		spec = "'(" + strings.Join(o.dashed(), " ") + ")'" + spec
	}
	return spec + "'[" + zshText(o.Help) + "]" + o.zshValue(program) + "'"
}

func (o Option) zshValue(program string) string {
	value := zshText(o.Value)
	switch {
	case o.Value == "":
		return ""
	case o.Section:
		return "::" + value + ":_" + program + "_sections"
	case o.takes("FILE"):
		return ":" + value + ":_files"
	case o.takes("INTERFACE"):
		return ":" + value + ":_net_interfaces"
	case len(o.Choices()) > 0:
		return ":" + value + ":(" + strings.Join(o.Choices(), " ") + ")"
	}
	return fmt.Sprintf(":%s: ", value)
}

// zshText makes text harmless in a specification within quotes.
func zshText(text string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, "[", `\[`, "]", `\]`, "'", `'\''`).Replace(text)
}

const zshScript = `#compdef PROGRAM

_PROGRAM_sections() {
    local dir name expl
    local -a files sections
    if compset -P '*@'; then
        _files
        return
    fi
    for dir in VARIABLES; do
        for name in NAMES; do
            files+=($dir/$name)
        done
    done
    files+=(FILES)
    sections=(${(f)"$(sed -n 's/^[[:space:]]*\[[[:space:]]*\(.*[^[:space:]]\)[[:space:]]*\][[:space:]]*$/\1/p' $^files(N-.) /dev/null)"})
    _wanted sections expl 'section' compadd -a sections
}

_arguments -s -S \
    SPECS
`
