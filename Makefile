PLUGINS := check_vpn_office check_vpn_dr check_vpn_licensing
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.0.0)
LDFLAGS := -s -w -X checkvpn/pkg/plugin.version=$(VERSION)

.PHONY: help build test tools demo verdicts false-alarms faults fuzz vuln clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST) | awk -F' - ' '{printf "%-22s %s\n", $$1, $$2}'

build: ## build the three plugins into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./,$(PLUGINS))

test: tools build ## run every check and test; installs what they need
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go tool -modfile=.tools/go.mod staticcheck ./...
	# One package at a time: real tunnels with real timeouts share two cores badly.
	CGO_ENABLED=1 go test -race -count=1 -p 1 ./...

# gcc is for the race detector, nftables and openssl make faults, the others are
# tunnels of the laboratory.
PACKAGES := gcc libc6-dev nftables openssl openvpn strongswan-charon strongswan-swanctl \
	libcharon-extra-plugins libstrongswan-standard-plugins

tools: ## install the Debian packages that the tests need
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || { apt-get update -q && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PACKAGES); }

demo: build ## check the seven tunnels of a laboratory, healthy and broken
	go run ./pkg/lab/demo

verdicts: tools ## break real tunnels in every way, and print what the plugins say
	go run ./pkg/lab/verdicts

false-alarms: build ## count the false alarms over a lossy tunnel, beside check_icmp
	go run ./pkg/lab/falsealarms

faults: tools ## show the plugins faults and hostile far ends, and print what they say
	go run ./pkg/lab/faults

FUZZTIME := 30s

fuzz: ## run each fuzz target for FUZZTIME, and 10,000 random argument lists
	@set -e; for file in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
	for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$file); do \
	echo "$$file $$target"; \
	go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
	done; done
	go run ./pkg/lab/faults -random 10000

vuln: ## look for known vulnerabilities; needs https://vuln.go.dev
	go tool -modfile=.tools/go.mod govulncheck ./...

clean: ## remove what was built
	rm -rf bin
