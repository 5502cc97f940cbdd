PLUGINS := check_vpn_office check_vpn_dr check_vpn_licensing
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.0.0)
LDFLAGS := -s -w -X checkvpn/pkg/plugin.version=$(VERSION)

.PHONY: help build test tools demo clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST) | awk -F' - ' '{printf "%-22s %s\n", $$1, $$2}'

build: ## build the three plugins into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./,$(PLUGINS))

test: tools build ## run every check and test; installs what they need
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go tool -modfile=.tools/go.mod staticcheck ./...
	CGO_ENABLED=1 go test -race -count=1 ./...

tools: ## install the compiler that the race detector needs
	@command -v gcc >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev; }

demo: build ## check the seven tunnels of a laboratory, healthy and broken
	go run ./pkg/lab/demo

clean: ## remove what was built
	rm -rf bin
