package manual

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestAbout(t *testing.T) {
	for _, test := range []struct {
		option Option
		want   string
	}{
		{Option{Value: "TARGET", Repeats: true, Help: "does traffic pass? (--hostname too)"}, "Does traffic pass? TARGET, or an array of them."},
		{Option{Value: "N", Default: "5", Help: "how many (5; at most 9. So)"}, "How many (5; at most 9. So). N, by default 5."},
		{Option{Value: "LIST", Help: "as 200-299,401; no redirect"}, "As 200-299,401. LIST."},
		{Option{Value: "MS", Default: ".5", Help: "at .5 or 1.5 ms. Not more"}, "At .5 or 1.5 ms. MS, by default .5."},
		{Option{Help: "use IPv4 only"}, "Use IPv4 only."},
		{Option{Help: "more lines", Repeats: true}, "More lines. As -v, -vv or -vvv."},
		{Option{Value: "X"}, " X."},
	} {
		if got := (argument{Option: test.option, kind: test.option.kind()}).about(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestReadWhatIsWritten(t *testing.T) {
	pages := []Page{hostile(), hostile()}
	pages[1].Program = "check_vpn_y"
	got, err := Read(strings.NewReader(pages[0].JSON() + pages[1].JSON()))
	if err != nil || !reflect.DeepEqual(got, pages) {
		t.Errorf("%v, %+v", err, got)
	}
	for _, text := range []string{"UNKNOWN: no", `{"Programm": "x"}`, `{"Program": "x"`} {
		if got, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestCommonOptions: what is written once must be the same in all.
func TestCommonOptions(t *testing.T) {
	one, other := hostile(), hostile()
	other.Groups[0].Options[0].Default = "another"
	if text, err := CheckCommands([]Page{one, other}); err == nil {
		t.Error(text)
	}
	if text, err := CheckCommands([]Page{one, {Program: "check_vpn_y"}}); err == nil {
		t.Error(text)
	}
}

// TestBasketFields: variables that mean the same share a field, others do not.
func TestBasketFields(t *testing.T) {
	page := func(name, help string) Page {
		return Page{Program: "check_vpn_" + name, Groups: []Group{
			{Options: []Option{{Long: "far", Value: "TARGET"}, {Long: "help", NoCheck: true}, {Long: "host-check", HostCheck: true}}},
			{Options: []Option{{Long: "own", Value: "X", Help: help}}},
		}}
	}
	text, err := Basket([]Page{page("x", "one"), page("y", "one"), page("z", "another")})
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Datafield map[string]struct{ Varname string }
		Command   map[string]struct {
			Command   string
			Arguments map[string]struct{ Value string }
			Fields    []struct {
				ID int `json:"datafield_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, f := range b.Datafield {
		count[f.Varname]++
	}
	if want := map[string]int{"vpn_far": 1, "vpn_host_far": 1, "vpn_own": 2, "vpn_host_own": 2}; !reflect.DeepEqual(count, want) {
		t.Errorf("fields %v", count)
	}
	if c := b.Command["vpn_z_host"]; len(b.Command) != 6 || c.Command != "check_vpn_z --host-check" || len(c.Arguments) != 2 ||
		len(c.Fields) != 2 || c.Arguments["--own"].Value != "$vpn_host_own$" {
		t.Errorf("%d commands, %+v", len(b.Command), c)
	}
}
