package link_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
)

// fake is a server that speaks the wire protocol over real sockets. Its SQL is
// whatever sql returns; its live queries are those of table.
type fake struct {
	*httptest.Server
	t     testing.TB
	table *table

	mu       sync.Mutex // guards the fields below
	sql      func(w http.ResponseWriter, r *http.Request, q wire.SQLRequest)
	requests []*http.Request // Of the SQL endpoint, in order.
	bodies   []wire.SQLRequest
	token    string // The one access token that is valid.
	refresh  string // The one refresh token that is valid.
	logins   int
	renewals int
	password string
	conns    int // TCP connections ever made.

	noSnapshot atomic.Bool // Acknowledgements do not name the snapshot.
	refuseWS   atomic.Int32
	gzip       atomic.Bool
	frames     atomic.Int64 // Client frames on all sockets.
	cutWithin  atomic.Int32 // Each socket is cut after a random number of frames up to this; 0 is never.
	cuts       atomic.Int32 // Sockets cut for that.
	sockets    liveSockets
}

// newFake starts a server whose users have the password "secret".
func newFake(t testing.TB) *fake {
	f := &fake{t: t, table: newTable(), token: "tok.en.1", refresh: "refresh.1", password: "secret"}
	f.sql = func(w http.ResponseWriter, r *http.Request, q wire.SQLRequest) {
		reply(w, 200, `{"status":"success","results":[],"took":0.1}`)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/api/sql", f.serveSQL)
	mux.HandleFunc("POST /v1/api/auth/login", f.serveLogin)
	mux.HandleFunc("POST /v1/api/auth/refresh", f.serveRefresh)
	mux.HandleFunc("GET /v1/ws", f.serveSocket)
	mux.HandleFunc("GET /v1/api/healthcheck", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200,
			`{"status":"healthy","version":"1.2.3","api_version":"v1","uptime_seconds":42,"active_connections":3,"active_subscriptions":2,"queries_per_second":1.5}`)
	})
	f.Server = httptest.NewUnstartedServer(mux)
	f.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.mu.Lock()
			f.conns++
			f.mu.Unlock()
		}
	}
	f.Start()
	t.Cleanup(func() {
		f.sockets.dropAll()
		f.Close()
		f.sockets.wait()
	})
	return f
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// answer makes the SQL endpoint answer every request alike.
func (f *fake) answer(status int, body string) {
	f.onSQL(func(w http.ResponseWriter, _ *http.Request, _ wire.SQLRequest) { reply(w, status, body) })
}

func (f *fake) onSQL(h func(http.ResponseWriter, *http.Request, wire.SQLRequest)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sql = h
}

func (f *fake) serveSQL(w http.ResponseWriter, r *http.Request) {
	var q wire.SQLRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		reply(w, 400, `{"status":"error","results":[],"took":0,"error":{"code":"INVALID_INPUT","message":"bad JSON"}}`)
		return
	}
	f.mu.Lock()
	f.requests = append(f.requests, r)
	f.bodies = append(f.bodies, q)
	h, token := f.sql, f.token
	f.mu.Unlock()
	if auth := r.Header.Get("Authorization"); auth != "" && auth != "Bearer "+token {
		reply(w, 401,
			`{"status":"error","error":{"code":"TOKEN_EXPIRED","message":"Invalid credentials"},"results":[],"took":0.1}`)
		return
	}
	h(w, r, q)
}

func (f *fake) serveLogin(w http.ResponseWriter, r *http.Request) {
	var q wire.LoginRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		reply(w, 400, "not JSON")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins++
	if q.Password != f.password {
		reply(w, 401, `{"error":"unauthorized","message":"Invalid credentials"}`)
		return
	}
	f.writeTokens(w)
}

func (f *fake) serveRefresh(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+f.refresh {
		reply(w, 401, `{"error":"unauthorized","message":"Refresh endpoint requires a refresh token"}`)
		return
	}
	f.renewals++
	f.writeTokens(w)
}

func (f *fake) writeTokens(w http.ResponseWriter) {
	answer := wire.LoginResponse{User: wire.User{ID: "alice"}, AccessToken: f.token, RefreshToken: f.refresh,
		ExpiresAt: "2026-01-02T03:04:05Z", RefreshExpiresAt: "2026-02-02T03:04:05.5Z"}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		f.t.Error(err)
	}
}

// expire replaces the valid token; with the refresh token too, only a login
// helps.
func (f *fake) expire(refreshToo bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token += "1"
	if refreshToo {
		f.refresh += "1"
	}
}

func (f *fake) counts() (requests, logins, renewals, conns int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests), f.logins, f.renewals, f.conns
}

// last returns the last SQL request.
func (f *fake) last() (*http.Request, wire.SQLRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1], f.bodies[len(f.bodies)-1]
}

// client returns a client of the server that is closed at the test's end.
func (f *fake) client(o link.Options) *link.Client {
	f.t.Helper()
	if o.URL == "" {
		o.URL = f.URL
	}
	c, err := link.New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	link.Impatient(c, time.Millisecond, 5*time.Second, 5*time.Second)
	f.t.Cleanup(func() { c.Close() })
	return c
}

// alice is a client with a password.
func (f *fake) alice() *link.Client {
	return f.client(link.Options{Auth: link.Password("alice", "secret")})
}

// within is a context that bounds a test's waiting.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}
