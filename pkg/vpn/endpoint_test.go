package vpn

import (
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	tests := []struct {
		in   string
		want string // as String prints it; or, where it cannot be parsed,
		fail string // a word of the error
	}{
		{"10.3.11.6", "10.3.11.6", ""},
		{"icmp://10.3.11.6", "10.3.11.6", ""},
		{"ICMP://10.3.11.6", "10.3.11.6", ""},
		{"::1", "::1", ""},
		{"[::1]", "::1", ""},
		{"icmp://[::1]", "::1", ""},
		{"fe80::1%eth0", "fe80::1%eth0", ""},
		{"mongo-4.backend.publishing.service.gov.uk", "mongo-4.backend.publishing.service.gov.uk", ""},
		{"a_b.example.", "a_b.example.", ""},
		{"tcp://10.3.11.31:3306", "tcp://10.3.11.31:3306", ""},
		{"tcp://[fd00::1]:3306", "tcp://[fd00::1]:3306", ""},
		{"tcp://db.example:65535", "tcp://db.example:65535", ""},
		{"https://www.gov.uk/apply-for-a-licence", "https://www.gov.uk/apply-for-a-licence", ""},
		{"https://www.gov.uk:443/", "https://www.gov.uk/", ""},
		{"http://[::1]:8080/a?b=c#d", "http://[::1]:8080/a?b=c", ""},
		{"http://10.0.0.1", "http://10.0.0.1", ""},
		{"ike://203.0.113.9", "ike://203.0.113.9", ""},
		{"ike://203.0.113.9:500", "ike://203.0.113.9", ""},
		{"ike://203.0.113.9:4500", "ike://203.0.113.9:4500", ""},
		{"ike://[2001:db8::9]:4500", "ike://[2001:db8::9]:4500", ""},
		{"ike://2001:db8::9", "ike://[2001:db8::9]", ""},
		{"ike://vpn.example", "ike://vpn.example", ""},
		{"ike://vpn.example:0", "", "port"},
		{"ike://vpn.example/x", "", "path"},

		{"", "", "empty"},
		{"a b", "", "blank"},
		{"a\tb", "", "blank"},
		{"a\nb", "", "blank"},
		{"10.0.0.1:80", "", "tcp://10.0.0.1:80"},
		{"icmp://10.0.0.1:80", "", "port"},
		{"icmp://10.0.0.1/x", "", "path"},
		{"icmp://tcp://a", "", "two schemes"},
		{"www.gov.uk/apply", "", "path"},
		{"tcp://10.0.0.1", "", "no port"},
		{"tcp://10.0.0.1:", "", "port"},
		{"tcp://10.0.0.1:0", "", "port"},
		{"tcp://10.0.0.1:65536", "", "port"},
		{"tcp://10.0.0.1:http", "", "port"},
		{"tcp://::1:80", "", "no port"},
		{"tcp://a:80/x", "", "path"},
		{"tcp://:80", "", "host"},
		{"ftp://a", "", "unknown scheme ftp"},
		{"https://", "", "host"},
		{"https:///path", "", "host"},
		{"https://user:secret@a/", "", "credentials"},
		{"https://user@a/", "", "credentials"},
		{"https://a:/", "", "port"},
		{"https://a:99999/", "", "port"},
		{"http://a b/", "", "blank"},
		{"http://%zz/", "", "well-formed"},
		{"10.3.11", "", "whole address"},
		{"10.3.11.256", "", "whole address"},
		{"1", "", "whole address"},
		{"fd00:::1", "", "whole address"},
		{"0.0.0.0", "", "one host"},
		{"::", "", "one host"},
		{"224.0.0.1", "", "one host"},
		{"ff02::1", "", "one host"},
		{"255.255.255.255", "", "one host"},
		{"::ffff:0.0.0.0", "", "one host"},
		{"-a", "", "neither"},
		{"a..b", "", "neither"},
		{"ümlaut", "", "neither"},
		{"a|b", "", "neither"},
		{strings.Repeat("a", 64), "", "neither"},
		{strings.Repeat("a.", 130), "", "neither"},
	}
	for _, test := range tests {
		e, err := ParseEndpoint(test.in)
		switch {
		case test.fail != "":
			if err == nil || !strings.Contains(err.Error(), test.fail) {
				t.Errorf("%q: got %v, error %v, want an error about %s", test.in, e, err, test.fail)
			}
		case err != nil:
			t.Errorf("%q: %v", test.in, err)
		case e.String() != test.want:
			t.Errorf("%q: got %s, want %s", test.in, e, test.want)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, seed := range []string{"10.3.11.6", "[::1]", "tcp://[fd00::1]:22", "https://a.example:444/b?c=d", "fe80::1%eth0", "http://%41/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEndpoint(s)
		if err != nil {
			return
		}
		again, err := ParseEndpoint(e.String())
		if err != nil || again != e {
			t.Errorf("%q prints as %q, which parses to %+v, %v, not %+v", s, e, again, err, e)
		}
		if e.Addr.IsValid() && !Askable(e.Addr) {
			t.Errorf("%q: %v is not the address of one host", s, e.Addr)
		}
	})
}
