// Package manual writes what is installed beside a program: its man page, how
// bash and zsh complete its arguments, and how Icinga 2 and its Director run it.
// It is given plain data and knows nothing of what the program does.
package manual

import "strings"

// Page is what is known of a program.
type Page struct {
	Program  string // its name
	Brief    string // half a sentence, for NAME
	About    string // a paragraph
	Version  string
	Date     string // of the page, as 2026-11-24
	Groups   []Group
	Sections []Section
	Examples []Example
	// INI is where the option named by Section reads from.
	INI INI
}

// Group is a set of options.
type Group struct {
	Title   string
	Options []Option
}

// Option is one option. Short, Long, Value and Default may be empty.
type Option struct {
	Short, Long string // without dashes
	Value       string // what stands for its value; empty for a flag
	Default     string
	Help        string
	Repeats     bool
	Section     bool // its value names a section of an INI file, and may be left out
	NoCheck     bool // with it the program checks nothing, as with --help
	HostCheck   bool // with it the check is that of a host, not of a service
}

// Section is a part of the page: terms, and then paragraphs. A paragraph that
// begins with a blank keeps its lines.
type Section struct {
	Title      string
	Terms      []Term
	Paragraphs []string
}

// Term is a word and what it stands for.
type Term struct{ Name, Text string }

// Example is a command, and what it is for.
type Example struct{ Text, Command string }

// INI tells where files of options are looked for.
type INI struct {
	Variables []string // environment variables with lists of directories
	Names     []string // of files in those directories
	Files     []string // looked at last
}

// Choices are the values that an option can have, where they are few words:
// nagios|json, but not RTA,PL%.
func (o Option) Choices() []string {
	if !strings.Contains(o.Value, "|") || strings.ToLower(o.Value) != o.Value || strings.ContainsAny(o.Value, "%0123456789") {
		return nil
	}
	return strings.Split(o.Value, "|")
}

// takes tells whether a word stands among those for the value.
func (o Option) takes(word string) bool {
	for _, w := range strings.Split(o.Value, "|") {
		if w == word {
			return true
		}
	}
	return false
}

// dashed are the option's names as they are written.
func (o Option) dashed() (names []string) {
	if o.Short != "" {
		names = append(names, "-"+o.Short)
	}
	if o.Long != "" {
		names = append(names, "--"+o.Long)
	}
	return names
}

func (p Page) options() (all []Option) {
	for _, g := range p.Groups {
		all = append(all, g.Options...)
	}
	return all
}
