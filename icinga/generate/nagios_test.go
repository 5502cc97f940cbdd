package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/hours"
)

// asNagios prints a description for Nagios, and what is wrong with it.
func asNagios(t *testing.T, ini string) (out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.ini")
	if err := os.WriteFile(file, []byte(ini), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	run([]string{"-f", file, "-p", plugins, "nagios"}, &stdout, &stderr)
	return stdout.String(), strings.ReplaceAll(stderr.String(), file+": ", "")
}

// ending has two tunnels at two ends, in few lines.
const ending = `[monitoring]
pager = oncall@example.org
plugin = dr
runs-on = here

[host here]
address = 10.0.0.1
asked = here

[host there]
address = fd00:9::1
asked = nrpe

[a]
near = gw=10.0.0.254
far = gate/gate=10.1.0.1
far = db/gate=fd00:1::5
far = web=tcp://10.1.0.6:443
replication = db.postgresql=tcp://[fd00:1::5]:5432

[monitoring a]
title = VPN to A

[b]
near = gw=10.0.0.254
far = 10.2.0.1

[monitoring b]
runs-on = there
`

func TestNagiosPrints(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"", "", "host_name                 vpn_gateway_gate.a"},
		{"", "", "parents             settled.vpn_gateway_gate.a"},
		{"", "", "address             fd00:1::5"},
		{"", "", "check_command       vpn_tcp!443"},
		{"", "", "check_command             vpn!dr!a!--partial=OK --without=replication"},
		{"", "", "check_command             vpn_nrpe!fd00:9::1!check_vpn_b\n"},
		{"runs-on = there", "runs-on = here", "dependent_service_description  VPN to A,VPN b\n"},
		{"runs-on = there", "runs-on = here\npages = yes", "check_command             vpn_mirror_host!$HOSTSTATEID:gw.here$!$HOSTOUTPUT:gw.here$\n"},
		{"runs-on = there", "runs-on = db.a", "host_name                 db.a\n    service_description       VPN b\n    check_command             vpn_nrpe!fd00:1::5!check_vpn_b\n"},
		{"title = VPN to A", "downtime = db Fri 22:00-01:30", "saturday         01:30-24:00\n"},
		{"title = VPN to A", "downtime = db Fri 22:00-01:30", "friday           00:00-22:00\n"},
		{"title = VPN to A", "resync = mysql 3d, postgresql 21h", "!a!postgresql!75600\n"},
		{"title = VPN to A", "resync = mysql 3d, postgresql 21h", "first_notification_delay  945\n"},
		{"title = VPN to A", "pages = yes\nhours = Mon 09:00-17:00\nholidays = 2026-12-25", "2026-12-25       00:00-24:00\n"},
		{"title = VPN to A", "check = 20s\nlasts = 25s", "first_notification_delay  0.75\n"},
	} {
		out, errs := asNagios(t, strings.Replace(ending, c.old, c.new, 1))
		if !strings.Contains(out, c.want) {
			t.Errorf("%q for %q: no %q in\n%s%s", c.new, c.old, c.want, errs, out)
		}
	}
}

func TestNagiosRefuses(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"runs-on = there", "title = VPN to A", "[monitoring b]: title VPN to A: there is another service VPN to A on here\n"},
		{"title = VPN to A", "title = page: VPN b\n\n[c]\nfar = 10.3.0.1\n\n[monitoring c]\ntitle = VPN b", "[monitoring c]: title VPN b: there is another service page: VPN b on here\n"},
		{"title = VPN to A", "hours = always Europe/Paris\npages = yes\n\n[c]\nfar = 10.3.0.1\n\n[monitoring c]\npages = yes", "[monitoring c]: hours in the zone \"\", and those of a in \"Europe/Paris\": Nagios has one clock\n"},
		{"title = VPN to A", "runs-on = there\n\n[c]\nfar = 10.3.0.1\n\n[monitoring c]\nruns-on = db.a", "[monitoring c]: runs-on db.a: Nagios makes hosts only of what it asks here\n"},
		{"pager = oncall", "pager = -oncall", "[monitoring]: bad value -oncall@example.org for pager: want addresses of mail, with commas between them\n"},
	} {
		if _, errs := asNagios(t, strings.Replace(ending, c.old, c.new, 1)); errs != c.want {
			t.Errorf("%q for %q: said %q", c.new, c.old, errs)
		}
	}
	shared := strings.NewReplacer("runs-on = there", "runs-on = here", "near = gw=10.0.0.254\n", "near = gw=10.0.0.254\ninterface = e$0\n").Replace(ending)
	if _, errs := asNagios(t, shared); errs != "[a]: bad value e$0 for interface: want letters, digits and any of . : @ % / - _\n" {
		t.Errorf("an interface for a shell: %q", errs)
	}
}

// TestDays holds the days of a period against the hours, minute by minute.
func TestDays(t *testing.T) {
	for _, text := range []string{"never", "always", "Mon-Fri 09:30-17:30", "Sat 20:00-03:00,Sun 00:30-00:31", "Sun-Sat 23:59-00:01", "Mon 09:00-12:00,11:00-14:00"} {
		h, err := hours.ParseNights(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, within := range []bool{true, false} {
			week := days(h, within)
			for minute := range 7 * 24 * 60 {
				moment := time.Date(2026, 11, 1, 0, minute, 0, 0, time.UTC) // a Sunday
				clock := moment.Format("15:04")
				in := false
				for span := range strings.SplitSeq(week[2*int(moment.Weekday())+1], ",") {
					from, to, _ := strings.Cut(span, "-")
					in = in || span != "" && from <= clock && clock < to
				}
				if in != (h.Include(moment) == within) {
					t.Fatalf("%s, within %v, at %s: %v in %q", text, within, moment.Format("Mon 15:04"), in, week)
				}
			}
		}
	}
}

func TestMinutes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1", 90 * time.Second: "1.5", 20 * time.Second: "0.334", 3 * time.Second: "0.05", 21 * time.Hour: "1260",
	} {
		if got := minutes(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
