package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"checkvpn/pkg/plugin/script"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"check_vpn_licensing": main})
}

func TestScripts(t *testing.T) { script.Run(t, "check_vpn_licensing") }
