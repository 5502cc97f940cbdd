package manual

import (
	"fmt"
	"slices"
	"strings"
)

// A monitoring system runs a plugin as a check command, and gives its options
// the values of variables: --min-far that of vpn_min_far. In Icinga services see
// the variables of their host. So a host's check has a command of its own, with
// variables that no service reads: vpn_host_min_far.
const (
	servicePrefix = "vpn_"
	hostPrefix    = servicePrefix + "host_"
	// commandTimeout lies above the plugins' own -t, which is 10 s: they are
	// never killed before they have printed.
	commandTimeout = 30
)

// argument is an option of a check command.
type argument struct {
	Option
	key  string // as it is written: --min-far
	kind kind
}

// kind is how an argument gets its value.
type kind int

const (
	text   kind = iota
	list        // an array repeats the option
	flag        // true sets it
	letter      // the value is the option itself: -v, -vv
)

// command is the check command of a page.
type command struct {
	name   string // vpn_office
	own    []argument
	common []argument // those of all commands
}

// commands are the check commands of plugins. The first group of options is that
// which they have in common.
func commands(pages []Page) (all []command, err error) {
	for _, p := range pages {
		if len(p.Groups) == 0 || !slices.Equal(p.Groups[0].Options, pages[0].Groups[0].Options) {
			return nil, fmt.Errorf("%s and %s: the first group of options is not the same", p.Program, pages[0].Program)
		}
		c := command{name: strings.TrimPrefix(p.Program, "check_"), common: p.Groups[0].arguments()}
		for _, g := range p.Groups[1:] {
			c.own = append(c.own, g.arguments()...)
		}
		all = append(all, c)
	}
	return all, nil
}

// arguments are the options with which a service is checked.
func (g Group) arguments() (all []argument) {
	for _, o := range g.Options {
		if !o.NoCheck && !o.HostCheck {
			all = append(all, argument{Option: o, key: o.dashed()[len(o.dashed())-1], kind: o.kind()})
		}
	}
	return all
}

func (o Option) kind() kind {
	switch {
	case o.Value == "" && o.Repeats:
		return letter
	case o.Value == "":
		return flag
	case o.Repeats:
		return list
	}
	return text
}

// all are the options of a command, the common ones first.
func (c command) all() []argument { return slices.Concat(c.common, c.own) }

// variable is the name of the variable for an argument.
func (a argument) variable(prefix string) string {
	return prefix + strings.ReplaceAll(strings.TrimLeft(a.key, "-"), "-", "_")
}

// about says what an argument is for, by the first sentence of its help, and what
// its value looks like.
func (a argument) about() string {
	about := sentence(a.Help)
	switch value := a.Value; {
	case a.kind == letter:
		return about + " As -v, -vv or -vvv."
	case a.kind == flag:
		return about
	default:
		if a.kind == list {
			value += ", or an array of them"
		}
		if a.Default != "" {
			value += ", by default " + a.Default
		}
		return about + " " + value + "."
	}
}

// sentence is the first of a text, or what stands before its first semicolon,
// with what is due at both ends. What stands in parentheses ends nothing.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	depth, end := 0, len(text)
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && strings.ContainsRune(".;?", c) && strings.HasPrefix(text[i+1:], " "):
			end = i + 1
		}
		if end < len(text) {
			break
		}
	}
	first := strings.TrimRight(text[:end], ".;")
	if !strings.HasSuffix(first, "?") {
		first += "."
	}
	return strings.ToUpper(first[:1]) + first[1:]
}
