package manual

import (
	"fmt"
	"strings"
)

// Bash is the completion for bash, for a folder where bash-completion looks by
// the name of the command. It needs nothing but bash and sed.
func (p Page) Bash() string {
	var options, cases []string
	for _, o := range p.options() {
		for _, name := range o.dashed() {
			if o.Section {
				name += "="
			}
			options = append(options, name)
		}
		if words := o.bashValues(); words != "" {
			cases = append(cases, fmt.Sprintf("        %s) %s ;;", strings.Join(o.dashed(), "|"), words))
		}
	}
	return strings.NewReplacer(
		"PROGRAM", p.Program,
		"OPTIONS", strings.Join(options, " "),
		"CASES", strings.Join(cases, "\n"),
		"VARIABLES", "$"+strings.Join(p.INI.Variables, ":$"),
		"NAMES", strings.Join(p.INI.Names, " "),
		"FILES", strings.Join(p.INI.Files, " "),
	).Replace(bashScript)
}

// bashValues gives the command that completes the value.
func (o Option) bashValues() string {
	switch {
	case o.takes("FILE"):
		return `mapfile -t found < <(compgen -f -- "$value")`
	case o.takes("INTERFACE"):
		return `mapfile -t found < <(compgen -W "$(ls /sys/class/net)" -- "$value")`
	case len(o.Choices()) > 0:
		return fmt.Sprintf(`mapfile -t found < <(compgen -W "%s" -- "$value")`, strings.Join(o.Choices(), " "))
	}
	return ""
}

// Bash breaks words at = and @ too, as COMP_WORDBREAKS says, so that the word
// is taken from the line, and what bash has seen of it already is cut off from
// what is found. An @ belongs to what follows it.
const bashScript = `# bash completion for PROGRAM

_PROGRAM_sections() {
    local dir name file
    local -a dirs files
    IFS=: read -ra dirs <<<"VARIABLES"
    for dir in "${dirs[@]}"; do
        for name in NAMES; do
            [[ -n $dir ]] && files+=("$dir/$name")
        done
    done
    for file in "${files[@]}" FILES; do
        [[ -r $file ]] && sed -n 's/^[[:space:]]*\[[[:space:]]*\(.*[^[:space:]]\)[[:space:]]*\][[:space:]]*$/\1/p' "$file"
    done
}

_PROGRAM() {
    local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} word option value seen before
    local -a found=() words
    word=${line##*[[:space:]]}
    read -ra words <<<"${line%"$word"}"
    [[ $cur == [=@:] || $word != *"$cur" ]] && cur=
    seen=${word%"$cur"}
    seen=${seen%@}
    case $word in
    --*=*) option=${word%%=*} value=${word#*=} before=$option= ;;
    -*) option= value=$word before= ;;
    *) option=${words[-1]} value=$word before= ;;
    esac
    case $option in
        '') mapfile -t found < <(compgen -W "OPTIONS" -- "$value")
            [[ ${#found[@]} -eq 1 && ${found[0]} == *= ]] && compopt -o nospace 2>/dev/null ;;
        --extra-opts)
            if [[ $value == *@* ]]; then
                before+=${value%%@*}@
                mapfile -t found < <(compgen -f -- "${value#*@}")
            elif [[ -n $before ]]; then
                mapfile -t found < <(compgen -W "$(_PROGRAM_sections)" -- "$value")
            fi ;;
CASES
    esac
    found=("${found[@]/#/$before}")
    COMPREPLY=("${found[@]#"$seen"}")
}

complete -F _PROGRAM PROGRAM
`
