package main

import (
	"crypto/tls"
	"os/exec"
)

// The environment is the caller's: it may not break the plugin.

func goodOne(c *certificates) tls.Certificate { return c.good }

func environmentRows() []row {
	up := func(name string, env ...string) row {
		return row{name: name, odd: withEnv(env...), args: one, code: ok, cause: "up"}
	}
	return []row{
		{name: "environment empty", odd: func(_ *room, cmd *exec.Cmd) { cmd.Env = []string{} }, args: one, code: ok, cause: "up"},
		{name: "environment of a megabyte", odd: withEnv(bulky()...), args: one, code: ok, cause: "up"},
		up("GO_FLAGS_COMPLETION", "GO_FLAGS_COMPLETION=1"),
		up("GO_FLAGS_COMPLETION, a dead tunnel", "GO_FLAGS_COMPLETION=verbose").dead(),
		up("TZ broken", "TZ=Nowhere/"+hostileText),
		up("TZ a path that never ends", "TZ=:/dev/zero"),
		up("LANG odd", "LANG=tr_TR.ISO-8859-9", "LC_ALL=zz_ZZ", "LC_NUMERIC=de_DE.UTF-8"),
		up("HOME, PATH and TMPDIR broken", "HOME=/nowhere", "PATH=", "TMPDIR=/dev/null"),
		up("GODEBUG set", "GODEBUG=http2debug=2,netdns=9,x509sha1=1,nonsense", "GOGC=1", "GOMAXPROCS=-1"),
		{name: "SSL_CERT_FILE missing", odd: withEnv("SSL_CERT_FILE=/nowhere", "SSL_CERT_DIR=/nowhere"), rig: pageOver(goodOne), args: words("-H https://127.0.0.1/"), code: critical, cause: "refused", says: "unknown authority"},
		{name: "SSL_CERT_FILE a pipe that nobody writes to", seconds: 3, odd: withEnv("SSL_CERT_FILE={dir}/pipe"), rig: both(pageOver(goodOne), pipe), args: words("-H https://127.0.0.1/"), code: critical, cause: "refused"},
		{name: "MP_CONFIG_PATH broken", odd: withEnv("MP_CONFIG_PATH=/dev/null::/nowhere:" + hostileText), args: words("--extra-opts=x"), code: unknown, cause: "misuse", says: "no section [x]"},
		{name: "MP_CONFIG_PATH full of pipes", odd: withEnv("MP_CONFIG_PATH={dir}"), rig: pipe, args: words("--extra-opts=x"), code: unknown, cause: "misuse"},
		{name: "ZONEINFO a pipe that nobody writes to", odd: withEnv("ZONEINFO={dir}/pipe"), rig: pipe, args: one, code: ok, cause: "up"},
	}
}

func bulky() (env []string) {
	for _, name := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
		b := make([]byte, 100_000)
		for i := range b {
			b[i] = 'x'
		}
		env = append(env, name+"="+string(b))
	}
	return env
}

// dead is the row with a dead tunnel.
func (r row) dead() row {
	r.peer, r.code, r.cause = nobody, critical, "down"
	return r
}
