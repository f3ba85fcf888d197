package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/session"
)

// roundTrips sends the same request over and over on one connection.
func roundTrips(b *testing.B, h *harness, request func(i int) string) {
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	i := 0
	for b.Loop() {
		if _, err := io.WriteString(c, request(i)); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || res.StatusCode != http.StatusOK || n == 0 {
			b.Fatalf("status %d, %d bytes, %v", res.StatusCode, n, err)
		}
		res.Body.Close()
		i++
	}
}

// BenchmarkHTTP measures whole requests over a socket, beside what the work
// without HTTP costs.
func BenchmarkHTTP(b *testing.B) {
	h := startFor(b, setup{config: func(c *config.Config) { c.RateLimit = config.RateLimitConfig{} }})
	root := h.root()
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT)")
	h.mustSQL(root, "INSERT INTO app.t VALUES (1, 'hello')")
	next := 1000
	b.Run("nothing", func(b *testing.B) {
		roundTrips(b, h, func(int) string { return "GET /health HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n" })
	})
	b.Run("point", func(b *testing.B) {
		b.ReportAllocs()
		text := sqlText(root, "SELECT id, body FROM app.t WHERE id = 1")
		roundTrips(b, h, func(int) string { return text })
	})
	b.Run("point without HTTP", func(b *testing.B) {
		b.ReportAllocs()
		p := kalam.Principal{User: "root", Role: kalam.RoleSystem}
		for b.Loop() {
			if err := h.engine.Execute(context.Background(), p,
				session.Request{SQL: "SELECT id, body FROM app.t WHERE id = 1"}, discard{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("insert", func(b *testing.B) {
		roundTrips(b, h, func(int) string {
			next++
			return sqlText(root, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'hello')", next))
		})
	})
	b.Run("write and fsync", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		block := []byte(strings.Repeat("x", 200))
		for b.Loop() {
			if _, err := f.Write(block); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rows=100k", func(b *testing.B) {
		text := sqlText(root, "SELECT range AS id, 'some text of a row ' || range AS body FROM range(100000)")
		roundTrips(b, h, func(int) string { return text })
	})
}

// textFrame returns a client's text frame.
func textFrame(s string) []byte {
	var b []byte
	switch n := len(s); {
	case n < 126:
		b = []byte{0x81, 0x80 | byte(n), 0, 0, 0, 0}
	default:
		b = []byte{0x81, 0x80 | 126, byte(n >> 8), byte(n), 0, 0, 0, 0}
	}
	return append(b, s...) // Masked with zeros.
}

// BenchmarkFanOut measures the time from an INSERT to the last of many sockets.
func BenchmarkFanOut(b *testing.B) {
	for _, sockets := range []int{10, 500} {
		b.Run(fmt.Sprint("sockets=", sockets), func(b *testing.B) {
			h := startFor(b, setup{config: func(c *config.Config) {
				c.RateLimit = config.RateLimitConfig{}
				c.Live.MaxSubscriptionsPerUser = sockets
				c.WebSocket.ClientTimeoutSecs = 3600
			}})
			root := h.root()
			h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT)")
			got := make(chan error, sockets)
			for range sockets {
				c := h.dial()
				c.write("GET /v1/ws?compress=false HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root +
					"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				c.write(string(textFrame(`{"type":"subscribe","subscription":{"id":"s","sql":"SELECT * FROM app.t"}}`)))
				go func() {
					for {
						_, err := c.r.ReadString('^') // The end of the body of each row, and nothing else.
						got <- err
						if err != nil {
							return
						}
					}
				}()
			}
			eventually.True(b, "all are subscribed", func() bool { return h.engine.Live().Count() == sockets })
			p := kalam.Principal{User: "root", Role: kalam.RoleSystem}
			i := 0
			for b.Loop() {
				i++
				sql := fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'some words ^')", i)
				if err := h.engine.Execute(context.Background(), p, session.Request{SQL: sql}, discard{}); err != nil {
					b.Fatal(err)
				}
				for range sockets {
					if err := <-got; err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			if err := h.stop(); err != nil {
				b.Error(err)
			}
		})
	}
}
