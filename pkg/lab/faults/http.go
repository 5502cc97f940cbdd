package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Web servers that never end, lead elsewhere or mean harm.

// page answers one request with a page.
func page(conn io.ReadWriter) { respond("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(conn) }

// respond reads a request and writes this text.
func respond(text string) func(io.ReadWriter) {
	return func(conn io.ReadWriter) {
		if request, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, strings.ReplaceAll(text, "{path}", request.URL.Path))
		}
	}
}

// endless reads a request, writes the head, and then the same for ever.
func endless(head, more string, pause time.Duration) func(io.ReadWriter) {
	return func(conn io.ReadWriter) {
		respond(head)(conn)
		for {
			if _, err := io.WriteString(conn, more); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
}

// bomb is a page of a gigabyte in a megabyte.
func bomb() string {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	zeros := make([]byte, 1<<20)
	for range 64 {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", b.Len(), b.String())
}

func status(line string, headers ...string) string {
	return "HTTP/1.1 " + line + "\r\nContent-Length: 0\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
}

// oneLine is hostile text that may stand in a header.
var oneLine = strings.NewReplacer("\r", " ", "\n", " ").Replace(hostileText)

func redirect(to string) string { return status("302 Found", "Location: "+to) }

func httpRows() []row {
	serve := func(s func(io.ReadWriter)) func(*room) error {
		return onPort("80", func(c net.Conn) { s(c) })
	}
	refused := func(title string, s func(io.ReadWriter), says string) row {
		return row{name: "HTTP " + title, args: words("-H web=http://127.0.0.1/"), rig: serve(s), code: critical, cause: "refused", says: says}
	}
	up := func(title string, s func(io.ReadWriter)) row { return refused(title, s, "").but(ok, "up", "") }
	long := strings.Repeat("x", 1<<20)
	return []row{
		up("status 200", page),
		up("status 204", respond(status("204 No Content"))),
		refused("status 403", respond(status("403 Forbidden")), "403"),
		refused("status 500", respond(status("500 Internal Server Error")), "500"),
		refused("status 304", respond(status("304 Not Modified")), "304"),
		refused("status 999", respond(status("999 Nothing")), "999"),
		refused("status 99999999999", respond("HTTP/1.1 99999999999 OK\r\n\r\n"), ""),
		refused("status -200", respond("HTTP/1.1 -20 OK\r\n\r\n"), ""),
		refused("with hostile words for a status", respond(status("503 "+oneLine)), "503"),
		refused("with hostile headers", respond(status("503 No", "A|b: "+hostileText, "<b>: \x1b[31m")), ""),
		refused("of another protocol", respond(hostileText+"\r\n\r\n"), ""),
		refused("silent", func(c io.ReadWriter) { _, _ = io.Copy(io.Discard, c) }, "no answer").of(3),
		refused("closed after the request", respond(""), "connection closed"),
		refused("at a byte a second", endless("HTTP/1.1 200 OK\r\nX: ", "x", time.Second), "no answer").of(3),
		refused("with an endless status", endless("HTTP/1.1 200 ", long, 0), ""),
		refused("with an endless header", endless("HTTP/1.1 200 OK\r\nX: ", long, 0), ""),
		refused("with endless headers", endless("HTTP/1.1 200 OK\r\n", strings.Repeat("X-A: b\r\n", 1000), 0), ""),
		refused("with endless early answers", endless("", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", time.Millisecond), "").of(3),
		refused("that switches protocols", respond(status("101 Switching Protocols", "Upgrade: x", "Connection: upgrade")), "101"),
		up("with an endless body", endless("HTTP/1.1 200 OK\r\n\r\n", long, 0)),
		up("with a slow body", endless("HTTP/1.1 200 OK\r\n\r\n", "x", time.Second)),
		up("with broken chunks", respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n")),
		up("with a gzip bomb", respond(bomb())),
		refused("with two lengths", respond("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"), ""),
		up("redirected on the same host", func(c io.ReadWriter) {
			if request, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				text := redirect("/next")
				if request.URL.Path == "/next" {
					text = status("200 OK")
				}
				_, _ = io.WriteString(c, text)
			}
		}),
		refused("redirected for ever", respond(redirect("/x{path}")), "more than 5 redirects"),
		refused("redirected to itself", respond(redirect("/")), "more than 5 redirects"),
		refused("redirected to file:", respond(redirect("file:///etc/passwd")), "redirected to another host"),
		refused("redirected to another host", respond(redirect("http://127.0.0.2/")), "redirected to another host"),
		refused("redirected to another host by its name", respond(redirect("//a|b<b>/")), ""),
		refused("redirected to credentials", respond(redirect("http://user:secret@127.0.0.1:9/")), "refused"),
		refused("redirected nowhere", respond(status("302 Found")), ""),
		refused("redirected to hostile words", respond(redirect("http://127.0.0.1/\x1b[31m|<b>\xff")), ""),
		refused("redirected to a port that refuses", respond(redirect("http://127.0.0.1:9/")), "connection refused"),
		refused("redirected to a name and back", respond(redirect("http://localhost/")), "redirected to another host"),
		up("status 401, listed", respond(status("401 Unauthorized"))).with("--http-status", "200-299,401"),
		up("redirect, listed, to another host", respond(redirect("http://127.0.0.2:9/"))).with("--http-status", "302"),
		refused("status 200, not listed", page, "200").with("--http-status", "401"),
		{name: "HTTP status 200 from a path of hostile words", rig: serve(page), args: []string{"-H", "http://127.0.0.1/<b>|`id`$(x)'\"&;=\x1b[31m"}, code: unknown, cause: "misuse"},
		{name: "HTTP 403 from a path of hostile words", rig: serve(respond(status("403 No"))), args: []string{"-H", "http://127.0.0.1/<b>|`id`$(x)'\"&;=\xff"}, code: critical, cause: "refused", says: "403"},
		{name: "HTTP by a proxy of the environment", rig: serve(page), args: words("-H web=http://127.0.0.1/"), code: ok, cause: "up",
			odd: withEnv("http_proxy=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9", "ALL_PROXY=socks5://127.0.0.1:9")},
		{name: "credentials in a URL", args: words("-H http://user:geheim@127.0.0.1/"), code: unknown, cause: "misuse", says: "credentials", ends: lacks("geheim")},
		{name: "credentials in a URL, with a name", args: words("-H web=https://geheim@127.0.0.1/"), code: unknown, cause: "misuse", says: "credentials", ends: lacks("geheim")},
		{name: "credentials in a URL of another scheme", args: words("-H tcp://user:geheim@127.0.0.1:22"), code: unknown, cause: "misuse", ends: lacks("geheim")},
	}
}
