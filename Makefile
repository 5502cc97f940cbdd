PLUGINS := check_vpn_office check_vpn_dr check_vpn_licensing
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.0.0)
LDFLAGS := -s -w -X checkvpn/pkg/plugin.version=$(VERSION)

.PHONY: help build test tools test-web demo verdicts false-alarms clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST) | awk -F' - ' '{printf "%-22s %s\n", $$1, $$2}'

build: ## build the three plugins into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./,$(PLUGINS))

test: tools build ## run every check and test; installs what they need
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go tool -modfile=.tools/go.mod staticcheck ./...
	# One package at a time: real tunnels with real timeouts share two cores badly.
	CGO_ENABLED=1 go test -race -count=1 -p 1 -timeout 20m ./...

# gcc is for the race detector; then the tunnels of the laboratory; then the
# daemons that run the plugins.
PACKAGES := gcc libc6-dev \
	openvpn strongswan-charon strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins \
	icinga2-bin icinga2-common monitoring-plugins-basic nagios-nrpe-server nagios-nrpe-plugin nagios4-core

tools: ## install the Debian packages that the tests need
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || { apt-get update -q && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PACKAGES); }

# The last is the font of the page.
WEB_PACKAGES := redis-server icingadb icingaweb2 icingadb-web icingacli \
	php-cli php-pgsql php-curl php-intl php-mbstring php-xml postgresql chromium fonts-dejavu-core

test-web: PACKAGES += $(WEB_PACKAGES)
test-web: tools ## read the output in Icinga Web 2, in a real browser; installs many packages
	go vet -tags web ./icinga
	go test -tags web -count=1 -run TestWeb -v ./icinga

demo: build ## check the seven tunnels of a laboratory, healthy and broken
	go run ./pkg/lab/demo

verdicts: tools ## break real tunnels in every way, and print what the plugins say
	go run ./pkg/lab/verdicts

false-alarms: build ## count the false alarms over a lossy tunnel, beside check_icmp
	go run ./pkg/lab/falsealarms

clean: ## remove what was built
	rm -rf bin
