PLUGINS := check_vpn_office check_vpn_dr check_vpn_licensing
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.0.0)
LDFLAGS := -s -w -X checkvpn/pkg/plugin.version=$(VERSION)
BIN     := bin

.PHONY: help build samples basket pages docs install deb rpm package test test-packages test-web test-basket test-next tools quick demo verdicts record false-alarms odds bench faults fuzz vuln clean

help: ## show this list
	@sed -n 's/^\([a-z -]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST) | awk -F' - ' '{printf "%-22s %s\n", $$1, $$2}'

build: ## build the three plugins and the generator into bin/
	CGO_ENABLED=0 go build -trimpath -tags nethttpomithttp2 -ldflags '$(LDFLAGS)' -o $(BIN)/ $(addprefix ./,$(PLUGINS))
	CGO_ENABLED=0 go build -trimpath -tags nethttpomithttp2 -ldflags '$(LDFLAGS)' -o $(BIN)/check-vpn-generate ./icinga/generate

# What is known of the options of each plugin, for what is made of all three.
PAGES := bin/pages

pages:
	go build -tags document -ldflags '$(LDFLAGS)' -o $(PAGES)/ $(addprefix ./,$(PLUGINS))
	for p in $(PLUGINS); do $(PAGES)/$$p json || exit 1; done >$(PAGES)/all.json

samples: build pages ## write the files of icinga/ that are made from options and from check_vpn.ini
	go run ./pkg/manual/commands icinga <$(PAGES)/all.json >$(PAGES)/vpn-commands.conf
	cp $(PAGES)/vpn-commands.conf icinga/
	for f in icinga:vpn-tunnels.conf zones:zones.conf nagios:nagios/vpn-tunnels.cfg nrpe:nrpe/check_vpn.cfg nrpe-short:nrpe/check_vpn_short.cfg; do \
	$(BIN)/check-vpn-generate -f icinga/check_vpn.ini $${f%%:*} >$(PAGES)/sample && cp $(PAGES)/sample icinga/$${f#*:} || exit 1; done

basket: pages ## write bin/check-vpn-basket.json, the same commands for Icinga Director
	go run ./pkg/manual/commands director <$(PAGES)/all.json >$(PAGES)/basket.json
	cp $(PAGES)/basket.json bin/check-vpn-basket.json

# What is installed besides the plugins, made from their options and from
# icinga/. The times in it are that of the last commit.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
DOC := bin/package

docs: basket ## write the man pages, completions and samples into bin/package
	umask 022 && rm -rf $(DOC) && mkdir -p $(DOC)/man $(DOC)/bash $(DOC)/zsh $(DOC)/nrpe $(DOC)/examples/icinga
	umask 022 && for p in $(PLUGINS); do \
	$(PAGES)/$$p man >$(DOC)/man/$$p.1 && gzip -9nk $(DOC)/man/$$p.1 && \
	$(PAGES)/$$p bash >$(DOC)/bash/$$p && $(PAGES)/$$p zsh >$(DOC)/zsh/_$$p || exit 1; done
	umask 022 && cd icinga && find . -type f ! -name '*.go' ! -path '*/testdata/*' \
	-exec install -D -m 644 {} $(abspath $(DOC))/examples/icinga/{} \;
	install -m 644 bin/check-vpn-basket.json $(DOC)/examples/icinga/director-basket.json

PREFIX    ?= /usr/local
PLUGINDIR ?= $(PREFIX)/lib/nagios/plugins
SHARE     := $(DESTDIR)$(PREFIX)/share

install: build docs ## install below PREFIX (/usr/local), in DESTDIR
	install -d $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/bash-completion/completions \
	$(SHARE)/zsh/site-functions $(SHARE)/doc/check-vpn
	install -m 755 $(addprefix $(BIN)/,$(PLUGINS)) $(DESTDIR)$(PLUGINDIR)
	install -m 755 $(BIN)/check-vpn-generate $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(DOC)/man/*.1 $(SHARE)/man/man1
	install -m 644 $(DOC)/bash/* $(SHARE)/bash-completion/completions
	install -m 644 $(DOC)/zsh/* $(SHARE)/zsh/site-functions
	install -m 644 README.md CHANGELOG.md LICENSE $(SHARE)/doc/check-vpn
	cp -r $(DOC)/examples $(SHARE)/doc/check-vpn

ARCHS := amd64 arm64
# A version that both kinds of package take: 1.2.3, or 1.2.3+4+gabc after it.
PACKAGE_VERSION := $(shell echo '$(VERSION)' | sed -E 's/^v//; /^[0-9]+\./!s/^/0.0.0+g/; s/-/+/g')

deb: package ## build the Debian packages into bin/, for amd64 and arm64
	$(call nfpm,deb)

rpm: package ## build the RPM packages into bin/, for amd64 and arm64
	$(call nfpm,rpm)

nfpm = for arch in $(ARCHS); do ARCH=$$arch VERSION='$(PACKAGE_VERSION)' \
	go tool -modfile=.tools/go.mod nfpm package -f .package/nfpm.yaml -p $(1) -t bin/ || exit 1; done

package: docs
	for arch in $(ARCHS); do GOARCH=$$arch $(MAKE) --no-print-directory build BIN=bin/$$arch || exit 1; done
	sed 's/@PLUGINS@/$(PLUGINS)/' .package/postinstall.in >$(DOC)/postinstall
	cp icinga/nrpe/check_vpn.cfg $(DOC)/nrpe/
	sed 's,/usr/lib/nagios,/usr/lib64/nagios,; s,/etc/nagios/nrpe.d,/etc/nrpe.d,' icinga/nrpe/check_vpn.cfg >$(DOC)/nrpe/check_vpn-lib64.cfg

# What does several things at once, and so is run under the race detector. The rest
# is pure, or runs built programs, which the detector does not see, over a laboratory
# that it makes five times as slow.
RACED := $(addprefix checkvpn/,check_vpn_dr pkg/lab pkg/plugin pkg/probe pkg/terminal)
OTHERS = $(filter-out $(RACED),$(shell go list ./...)) ./.package

test: export CI = 1
test: tools build ## run every check and test; installs what they need
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./... ./.package
	go vet -tags document ./pkg/plugin
	go tool -modfile=.tools/go.mod staticcheck ./... ./.package
	# The package is built in a network of its own: what it takes is fetched before.
	go tool -modfile=.tools/go.mod nfpm --version >/dev/null
	@test -n "$$CHECKVPN_VECTORS" || echo 'SKIPPED: threshold cases of other test suites, for CHECKVPN_VECTORS is not set'
	# Most of it is to wait for real tunnels and daemons, so two packages at a time.
	CGO_ENABLED=1 go test -race -count=1 -p 2 -timeout 20m $(RACED)
	go test -count=1 -p 2 -timeout 20m $(OTHERS)

# What needs no root, no tunnel and no daemon, and so no package but Go.
QUICK = $(filter-out checkvpn/icinga checkvpn/pkg/lab% checkvpn/pkg/manual/documents checkvpn/pkg/probe,$(shell go list ./...))

quick: ## run the unit tests, the scripts and the recordings, in less than a minute
	go vet $(QUICK)
	go test -count=1 -skip '^TestOdds$$' $(QUICK)

test-packages: tools ## test the packages of both kinds, and that they can be built again alike
	dpkg -s rpm >/dev/null 2>&1 || apt-get install -qy --no-install-recommends rpm
	$(MAKE) deb rpm
	go vet -tags packages ./.package
	go test -tags packages -count=1 -timeout 30m ./.package

# gcc is for the race detector; then the tunnels of the laboratory; then the
# daemons that run the plugins; then what reads man pages, completions and
# packages, what the README compares, what make bench and make faults take.
PACKAGES := gcc libc6-dev \
	iproute2 openvpn strongswan-charon strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins \
	icinga2-bin icinga2-common monitoring-plugins-basic nagios-nrpe-server nagios-nrpe-plugin nagios4-core \
	mandoc zsh libcap2-bin fping time nftables faketime

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

BASKET_PACKAGES := icingaweb2 icingaweb2-module-director icingacli \
	php-cli php-pgsql php-curl php-intl php-mbstring php-xml postgresql

test-basket: PACKAGES += $(BASKET_PACKAGES)
test-basket: tools ## have a real Icinga Director restore the basket and deploy it; installs many packages
	go vet -tags basket ./icinga
	go test -tags basket -count=1 -run TestBasket -v ./icinga

# Whatever the packages only recommend is left out, libcap2-bin for one.
NEXT := bin/trixie
NEXT_PACKAGES := icinga2-bin,icinga2-common,monitoring-plugins-basic

test-next: PACKAGES += debootstrap
test-next: tools ## load the configuration in the Icinga 2 of Debian trixie, which it installs into bin/
	test -f $(NEXT)/complete || { rm -rf $(NEXT) && mkdir -p bin && debootstrap --variant=minbase --include=$(NEXT_PACKAGES) trixie $(NEXT) \
	"$$(apt-get indextargets --format '$$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)" && touch $(NEXT)/complete; }
	go vet -tags next ./icinga
	go test -tags next -count=1 -run TestNext -v ./icinga -next $(abspath $(NEXT))

demo: ## check the seven tunnels of a laboratory, healthy and broken
	go run ./pkg/lab/scenario -show demo

verdicts: tools ## break real tunnels in every way, and print what the plugins say
	go run ./pkg/lab/scenario verdicts

record: tools ## record an outage of each cause and kind of tunnel, for pkg/vpn/testdata
	rm -f pkg/vpn/testdata/*.events
	go run ./pkg/lab/scenario -record pkg/vpn/testdata verdicts

false-alarms: build ## count the false alarms over a lossy tunnel, beside check_icmp
	go run ./pkg/lab/bench -false-alarms 3000

odds: ## simulate up to 200,000 checks of each kind, and print how often they are right; ODDS=0.1 does a tenth
	go test ./pkg/vpn -count=1 -run '^TestOdds$$' -v -timeout 2h -odds $(ODDS)

# The second measures inside a process, on the loopback.
bench: tools build ## measure beside check_icmp and fping, in five minutes
	go run ./pkg/lab/bench
	go test -run '^$$' -bench . -benchtime 0.2s -benchmem ./pkg/vpn ./pkg/plugin ./pkg/probe

faults: tools ## show the plugins faults and hostile far ends, and print what they say
	go run ./pkg/lab/scenario faults

ODDS     := 1
FUZZTIME := 30s

fuzz: ## run each fuzz target for FUZZTIME
	@set -e; for file in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
	for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$file); do \
	echo "$$file $$target"; \
	go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
	done; done

vuln: ## look for known vulnerabilities; needs https://vuln.go.dev
	go tool -modfile=.tools/go.mod govulncheck ./...

clean: ## remove what was built
	rm -rf bin
