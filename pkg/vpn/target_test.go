package vpn

import (
	"regexp"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		role                   Role
		text                   string
		name, group, url, fail string
	}{
		{Far, "10.3.11.6", "10.3.11.6", "", "10.3.11.6", ""},
		{Far, "mongo-4=10.3.11.6", "mongo-4", "", "10.3.11.6", ""},
		{Far, "mongo-4/backend_dr=10.3.11.6", "mongo-4", "backend_dr", "10.3.11.6", ""},
		{Far, "a=https://example.org/?b=c", "a", "", "https://example.org/?b=c", ""},
		{Far, "https://example.org/?b=c", "https://example.org/?b=c", "", "https://example.org/?b=c", ""},
		{Near, "a/b=10.0.0.1", "", "", "", "group"},
		{Far, "=10.0.0.1", "", "", "", "host"},
		{Far, "-a=10.0.0.1", "", "", "", "host"},
		{Far, "a/b/c=10.0.0.1", "", "", "", "path"},
		{Far, strings.Repeat("a", 40) + "=10.0.0.1", strings.Repeat("a", 40), "", "10.0.0.1", ""},
		{Far, strings.Repeat("a", 65) + "=10.0.0.1", "", "", "", "host"},
		{Far, "a=", "", "", "", "empty"},
		{Far, "", "", "", "", "empty"},
	}
	for _, test := range tests {
		got, err := ParseTarget(test.role, test.text)
		switch {
		case test.fail != "":
			if err == nil || !strings.Contains(err.Error(), test.fail) {
				t.Errorf("%q: got error %v, want one about %s", test.text, err, test.fail)
			}
		case err != nil:
			t.Errorf("%q: %v", test.text, err)
		case got.Name != test.name || got.Group != test.group || got.URL != test.url:
			t.Errorf("%q: got %+v", test.text, got)
		}
	}
}

func TestMinimum(t *testing.T) {
	tests := []struct {
		text        string
		total, want int // 0: an error, in reading or for so many targets
	}{
		{"1", 1, 1}, {"3", 14, 3}, {"14", 14, 14}, {"15", 14, 0},
		{"50%", 14, 7}, {"50%", 13, 7}, {"1%", 14, 1}, {"100%", 14, 14}, {"10%", 21, 3},
		{"0", 3, 0}, {"0%", 3, 0}, {"101%", 3, 0}, {"-1", 3, 0}, {"", 3, 0}, {"%", 3, 0}, {"1.5", 3, 0}, {"x", 3, 0},
	}
	for _, test := range tests {
		m, err := ParseMinimum(test.text)
		got := 0
		if err == nil {
			got, err = m.Of(test.total)
		}
		if got != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%s of %d: got %d, %v, want %d", test.text, test.total, got, err, test.want)
		}
	}
}

// FuzzParseTarget: what is written again from its parts is the same target, a
// name that was given has the form of one, and there are no credentials in it.
func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{
		"10.3.11.6", "mongo-4/backend_dr=10.3.11.6", "a=https://example.org/?b=c", "https://example.org/?b=c",
		"=10.0.0.1", "a/b/c=10.0.0.1", "a=b=c", "ike://[fd00::1]:4500", "a=tcp://b:1", "http://u:p@h/", "fe80::1%eth0",
	} {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, far bool) {
		role := Near
		if far {
			role = Far
		}
		target, err := ParseTarget(role, text)
		if err != nil {
			return
		}
		written := target.URL
		if target.Name != target.URL || strings.HasPrefix(text, target.Name+"=") {
			if form := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`); !form.MatchString(target.Name) || target.Group != "" && !form.MatchString(target.Group) {
				t.Fatalf("%q: name %q, group %q", text, target.Name, target.Group)
			}
			written = strings.TrimSuffix(target.Name+"/"+target.Group, "/") + "=" + target.URL
		}
		again, err := ParseTarget(role, written)
		if err != nil || again != target || written != text {
			t.Fatalf("%q is %+v, which reads back as %+v, %v", text, target, again, err)
		}
		if target.Group != "" && !far {
			t.Fatalf("%q: a group near", text)
		}
		if scheme := string(target.Endpoint.Scheme); strings.HasPrefix(scheme, "http") && strings.Contains(strings.SplitN(target.Endpoint.String(), "/", 4)[2], "@") {
			t.Fatalf("%q: credentials in %s", text, target.Endpoint)
		}
	})
}
