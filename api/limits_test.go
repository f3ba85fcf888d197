package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
)

func TestQueryRate(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxQueriesPerSec = 5 }})
	alice, bob := h.user("alice", kalam.RoleUser), h.user("bob", kalam.RoleUser)
	var refused response
	for range 50 {
		if res := h.sql(alice, "SELECT 1"); res.status != http.StatusOK {
			refused = res
			break
		}
	}
	want := `{"status":"error","results":[],"took":0.0,"took_ms":0,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Too many queries per second. Please slow down."}}`
	if refused.status != http.StatusTooManyRequests || normal(refused.body) != want ||
		refused.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s %s", refused.status, refused.header, refused.body)
	}
	if res := h.sql(bob, "SELECT 1"); res.status != http.StatusOK {
		t.Errorf("another user: %d %s", res.status, res.body)
	}
	h.clock.move(time.Second)
	if res := h.sql(alice, "SELECT 1"); res.status != http.StatusOK {
		t.Errorf("a second later: %d %s", res.status, res.body)
	}
}

func TestAddressRateAndBan(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxRequestsPerIP = 3 }})
	ask := func(from string) response { return h.do("GET", "/health", "", nil, "X-Forwarded-For", from) }
	statuses := map[int]int{}
	var limited, banned response
	for i := range 100 {
		res := ask(fmt.Sprintf("198.51.100.%d, 203.0.113.1", i)) // What the client claims before its proxy does not count.
		statuses[res.status]++
		switch {
		case strings.Contains(res.body, "IP_BANNED"):
			banned = res
		case res.status == http.StatusTooManyRequests:
			limited = res
		}
		if banned.status != 0 {
			break
		}
	}
	if limited.body != `{"error":"RATE_LIMIT_EXCEEDED","message":"Too many requests from your IP address","retry_after_seconds":1}` ||
		limited.header.Get("Retry-After") != "1" || limited.header.Get("X-RateLimit-Reset") != "1" {
		t.Errorf("limited: %s %s", limited.header, limited.body)
	}
	if banned.body != `{"error":"IP_BANNED","message":"Your IP has been temporarily banned due to excessive requests","retry_after_seconds":300}` || banned.header.Get("Retry-After") != "300" {
		t.Errorf("banned: %v %s %s", statuses, banned.header, banned.body)
	}
	if res := ask("203.0.113.2"); res.status != http.StatusOK {
		t.Errorf("another address: %d %s", res.status, res.body)
	}
	if res := h.do("GET", "/health", "", nil); res.status != http.StatusOK {
		t.Errorf("the machine itself: %d %s", res.status, res.body)
	}
	h.clock.move(299 * time.Second)
	if res := ask("203.0.113.1"); res.status != http.StatusTooManyRequests {
		t.Errorf("still banned: %d %s", res.status, res.body)
	}
	h.clock.move(2 * time.Second)
	if res := ask("203.0.113.1"); res.status != http.StatusOK {
		t.Errorf("after the ban: %d %s", res.status, res.body)
	}
}

// TestAddressesV6 checks that a /64 counts as one address.
func TestAddressesV6(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxRequestsPerIP = 3 }})
	ask := func(from string) int { return h.do("GET", "/health", "", nil, "X-Real-IP", from).status }
	limited := false
	for i := range 20 {
		limited = limited || ask(fmt.Sprintf("2001:db8:1:2::%x", i)) == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("addresses of one /64 are not counted together")
	}
	if status := ask("2001:db8:1:3::1"); status != http.StatusOK {
		t.Errorf("another /64: %d", status)
	}
}

func TestConnectionLimit(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxConnectionsPerIP = 2 }})
	a, b := h.dial(), h.dial()
	for _, c := range []*raw{a, b} {
		c.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		if res := c.read(); res.status != http.StatusOK || !strings.Contains(res.body, `"active_connections":`) {
			t.Fatalf("%d %s", res.status, res.body)
		}
	}
	c := h.dial()
	res := c.read()
	if res.status != http.StatusServiceUnavailable ||
		res.body != `{"error":"TOO_MANY_CONNECTIONS","message":"Too many connections from your IP address","current":2,"max":2}` || res.header.Get("Retry-After") != "5" {
		t.Errorf("%d %s %s", res.status, res.header, res.body)
	}
	a.Close()
	eventually.True(t, "the closed connection no longer counts", func() bool {
		d := h.dial()
		defer d.Close()
		d.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		return d.read().status == http.StatusOK
	})
}

// TestAuthRate checks that guessing is slowed down and logging in is not.
func TestAuthRate(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxAuthPerIP = 5 }})
	for range 50 {
		h.root()
	}
	var refused response
	for i := range 50 {
		res := h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": fmt.Sprint("guess", i), "password": "x"})
		if res.status != http.StatusUnauthorized {
			refused = res
			break
		}
	}
	if refused.status != http.StatusTooManyRequests ||
		refused.body != `{"error":"rate_limited","message":"Too many authentication attempts. Please retry shortly.","retry_after_seconds":1}` || refused.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s %s", refused.status, refused.header, refused.body)
	}
	if res := h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": "root",
		"password": rootPassword}); res.status != http.StatusTooManyRequests {
		t.Errorf("right after: %d %s", res.status, res.body)
	}
	if res := h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": "root", "password": rootPassword},
		"X-Forwarded-For", "203.0.113.7"); res.status != http.StatusOK {
		t.Errorf("another address: %d %s", res.status, res.body)
	}
	h.clock.move(2 * time.Second)
	h.root()
}

func TestNoLimits(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit = config.RateLimitConfig{} }})
	root := h.root()
	for range 300 {
		if res := h.sql(root, "SELECT 1"); res.status != http.StatusOK {
			t.Fatalf("%d %s", res.status, res.body)
		}
	}
}
