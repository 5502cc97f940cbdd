// Command check_vpn_office watches the VPN between the office and the
// datacentre.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"
	_ "time/tzdata" // a machine without a time zone database must judge alike

	"checkvpn/pkg/hours"
	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin"
	"checkvpn/pkg/vpn"
)

func main() { os.Exit(plugin.Run(tunnel(), os.Args[1:], os.Stdout)) }

// office is the tunnel's own options, and what they come to.
type office struct {
	Service      plugin.Values `long:"service" value-name:"TARGET" unquote:"false" description:"what a responder needs, as monitoring and vCloud Director: can they work?"`
	OfficeHours  plugin.Value  `long:"office-hours" value-name:"HOURS" default:"Mon-Fri 09:30-17:30" unquote:"false" description:"when the office is staffed and an outage can wait: DAYS HH:MM-HH:MM[,...], never or always"`
	Timezone     plugin.Value  `long:"timezone" value-name:"ZONE" default:"Europe/London" unquote:"false" description:"time zone of the office hours"`
	BankHolidays plugin.Value  `long:"bank-holidays" value-name:"FILE" unquote:"false" description:"days without office hours: bank-holidays.json as www.gov.uk publishes it"`
	Division     plugin.Value  `long:"division" value-name:"NAME" default:"england-and-wales" unquote:"false" description:"part of that file that holds for the office"`

	hours    hours.Hours
	holidays holidays
	zone     *time.Location
}

func tunnel() plugin.Tunnel {
	o := &office{}
	return plugin.Tunnel{
		Name:  "office",
		Title: "office VPN",
		About: "Watches the VPN between the office and the datacentre. When it goes down in office hours, little is lost. Out of hours, responders at home reach only one of monitoring or vCloud Director at a time.",
		Examples: []string{
			"-H 10.3.0.20",
			"--near 192.168.19.1 --peer 198.51.100.10 -H monitoring-1=10.3.0.20 --service vcloud=https://vcloud-director.management.publishing.service.gov.uk/ --bank-holidays /etc/check-vpn/bank-holidays.json",
			"-H 10.3.0.20 --office-hours 'Mon-Thu 09:00-17:30,Fri 09:00-17:00'",
		},
		Options:    o,
		Roles:      []plugin.Role{{Role: service, Targets: &o.Service}},
		Prepare:    o.prepare,
		Staffed:    o.staffed,
		HoursGiven: o.hoursGiven,
		Impact:     impact,
		Notes:      o.notes,
	}
}

// service is what a responder needs.
var service = vpn.Role{Name: "service", ThroughTunnel: true}

func (o *office) prepare() (err error) {
	if o.hours, err = hours.Parse(o.OfficeHours.String()); err != nil {
		return plugin.BadValue("--office-hours", o.OfficeHours.String(), err)
	}
	// Local and an empty name would be the machine's own zone, and differ
	// between machines.
	name := o.Timezone.String()
	if o.zone, err = time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		return plugin.BadValue("--timezone", name, fmt.Errorf("want a name of the IANA database, for example Europe/London"))
	}
	if o.BankHolidays.Given() {
		o.holidays, err = readHolidays(o.BankHolidays.String(), o.Division.String())
		switch {
		case errors.Is(err, errDivision):
			return plugin.BadValue("--division", o.Division.String(), err)
		case err != nil:
			return plugin.BadValue("--bank-holidays", o.BankHolidays.String(), err)
		}
	}
	return nil
}

func impact(v vpn.Verdict, p vpn.Problem, staffed bool) plugin.Impact {
	services, asked := v.Role("service")
	switch {
	case p.Cause.Down() && staffed:
		return plugin.Impact{State: nagios.Warning, Text: "Low impact in office hours"}
	case p.Cause.Down():
		return plugin.Impact{State: nagios.Critical, Text: "Responders reach monitoring or vCloud Director, not both"}
	case p.Cause == vpn.ServiceDown && services == 0 && asked > 0 && !staffed:
		return plugin.Impact{State: nagios.Critical, Text: "Responders cannot work, and it is not the VPN"}
	case p.Cause == vpn.ServiceDown:
		return plugin.Impact{State: nagios.Warning, Text: "It is not the VPN"}
	}
	return plugin.Impact{State: p.State}
}

func (o *office) staffed(now time.Time) bool {
	now = now.In(o.zone)
	return o.hours.Include(now) && !o.holidays.include(now)
}

// hoursGiven tells whether the command line or a file says anything of the hours.
func (o *office) hoursGiven() bool {
	return o.OfficeHours.String() != defaultHours || o.BankHolidays.Given()
}

func (o *office) notes(now time.Time) []string {
	if !o.holidays.outdated(now.In(o.zone)) {
		return nil
	}
	return []string{"The file of --bank-holidays has no date from today on: get a new one."}
}

const defaultHours = "Mon-Fri 09:30-17:30"
