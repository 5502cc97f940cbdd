package manual

import (
	"fmt"
	"strings"

	"checkvpn/pkg/terminal"
)

// Man is the page for man(1), section 1, in the macros of man(7).
func (p Page) Man() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line(`.\" Made from the options of %s: do not edit.`, p.Program)
	line(`.TH %s 1 %s "%s"`, strings.ToUpper(p.Program), p.Date, roff(p.Version))
	line(".SH NAME\n%s", roff(p.Program+" - "+p.Brief))
	line(".SH SYNOPSIS\n.B %s\n.B \\-H\n.I TARGET\n.RI [ OPTION\n\\&...]", roff(p.Program))
	line(".SH DESCRIPTION\n%s", roff(p.About))
	line(".SH OPTIONS")
	for _, g := range p.Groups {
		line(".SS %s", roff(g.Title))
		for _, o := range g.Options {
			line(".TP\n%s\n%s", o.head(), roff(o.tail()))
		}
	}
	for _, s := range p.Sections {
		line(".SH %s", roff(strings.ToUpper(s.Title)))
		for _, t := range s.Terms {
			line(".TP\n.B %s\n%s", roff(t.Name), roff(t.Text))
		}
		for i, paragraph := range s.Paragraphs {
			if i+len(s.Terms) > 0 {
				line(".PP")
			}
			if strings.HasPrefix(paragraph, " ") {
				line(".nf\n%s\n.fi", escape(strings.TrimRight(paragraph, "\n")))
				continue
			}
			line("%s", roff(paragraph))
		}
	}
	line(".SH EXAMPLES")
	for i, e := range p.Examples {
		if i > 0 {
			line(".PP")
		}
		if e.Text != "" {
			line("%s\n.PP", roff(e.Text))
		}
		line(".nf\n.RS\n%s\n.RE\n.fi", escape(e.Command))
	}
	return b.String()
}

// head is the option's names and value.
func (o Option) head() string {
	var names []string
	for _, name := range o.dashed() {
		names = append(names, `\fB`+roff(name)+`\fR`)
	}
	head := strings.Join(names, ", ")
	switch {
	case o.Section:
		head += `[=\fI` + roff(o.Value) + `\fR]`
	case o.Value != "":
		head += ` \fI` + roff(o.Value) + `\fR`
	}
	return head
}

// tail says what the option does.
func (o Option) tail() string {
	text := o.Help
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, "?") && !strings.HasSuffix(text, ".") {
		text += "."
	}
	if o.Default != "" {
		text += " Default: " + o.Default + "."
	}
	if o.Repeats {
		text += " Can be repeated."
	}
	return text
}

// special are characters that troff takes for another, or for its own.
var special = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

// roff is text for troff to fill, in short lines.
func roff(text string) string { return protect(terminal.Wrap(special.Replace(text), maxLine, 0)) }

// escape is text that keeps its lines.
func escape(text string) string { return protect(special.Replace(text)) }

// maxLine is how long a line of the source may be, in characters.
const maxLine = 78

// protect makes sure that no line of text is a request.
func protect(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
