package manual

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Basket is a basket for Icinga Director: the check commands of plugins, those
// for hosts too, and a field for each of their variables. Director keeps the
// commands by their names, and a field by what it is, not by its number.
func Basket(pages []Page) (string, error) {
	all, err := commands(pages)
	if err != nil {
		return "", err
	}
	b := basket{map[string]basketField{}, map[string]basketCommand{}}
	known := map[basketField]int{}
	for _, c := range all {
		b.Commands[c.name] = b.command(c, servicePrefix, known)
		b.Commands[c.name+"_host"] = b.command(c, hostPrefix, known)
	}
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	to.SetIndent("", "    ")
	err = to.Encode(b)
	return text.String(), err
}

// basket is what Director restores.
type basket struct {
	Fields   map[string]basketField   `json:"Datafield"` // by a number of this file's own
	Commands map[string]basketCommand `json:"Command"`
}

type basketField struct {
	Variable    string   `json:"varname"`
	Caption     string   `json:"caption"`
	Description string   `json:"description"`
	Type        string   `json:"datatype"`
	Format      *string  `json:"format"`
	Category    *string  `json:"category"`
	Settings    struct{} `json:"settings"`
}

type basketCommand struct {
	Name      string                    `json:"object_name"`
	Type      string                    `json:"object_type"`
	Method    string                    `json:"methods_execute"`
	Command   string                    `json:"command"`
	Timeout   string                    `json:"timeout"`
	Arguments map[string]basketArgument `json:"arguments"`
	Fields    []fieldOfCommand          `json:"fields"`
}

type basketArgument struct {
	Value       any    `json:"value,omitempty"`
	SetIf       string `json:"set_if,omitempty"`
	SetIfFormat string `json:"set_if_format,omitempty"`
	SkipKey     bool   `json:"skip_key,omitempty"`
	Description string `json:"description"`
}

type fieldOfCommand struct {
	Field    int     `json:"datafield_id"`
	Required string  `json:"is_required"`
	Filter   *string `json:"var_filter"`
}

// command adds a command and the fields that are not known yet.
func (b basket) command(c command, prefix string, known map[basketField]int) basketCommand {
	made := basketCommand{
		Name: c.name, Type: "object", Method: "PluginCheck", Command: "check_" + c.name, Timeout: strconv.Itoa(commandTimeout),
		Arguments: map[string]basketArgument{},
	}
	if prefix == hostPrefix {
		made.Name += "_host"
		made.Command += " --host-check"
	}
	for _, a := range c.all() {
		variable := a.variable(prefix)
		made.Arguments[a.key] = a.basket(variable)
		field := basketField{
			Variable: variable, Caption: a.key, Description: a.about(),
			Type: `Icinga\Module\Director\DataType\DataType` + map[kind]string{text: "String", list: "Array", flag: "Boolean", letter: "String"}[a.kind],
		}
		if known[field] == 0 {
			known[field] = len(known) + 1
			b.Fields[strconv.Itoa(known[field])] = field
		}
		made.Fields = append(made.Fields, fieldOfCommand{Field: known[field], Required: "n"})
	}
	return made
}

// basket is the argument in Director, which knows no separator: of a section,
// option and value are one word, made by a function.
func (a argument) basket(variable string) basketArgument {
	made := basketArgument{Description: a.about(), Value: "$" + variable + "$"}
	switch {
	case a.kind == flag:
		made.Value, made.SetIf, made.SetIfFormat = nil, "$"+variable+"$", "string"
	case a.kind == letter:
		made.SkipKey = true
	case a.Section:
		made.SkipKey = true
		made.Value = map[string]string{"type": "Function", "body": "var words = []\n" +
			"var value = macro(\"$" + variable + "$\")\n" +
			"if (typeof(value) == String) { value = [ value ] }\n" +
			"if (value) { for (one in value) { words.add(\"" + a.key + "=\" + one) } }\n" +
			"return words"}
	}
	return made
}
