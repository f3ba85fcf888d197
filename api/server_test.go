package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/session"
)

func TestHealth(t *testing.T) {
	h := start(t, setup{})
	dba, user := h.user("dba", kalam.RoleDBA), h.user("user", kalam.RoleUser)
	elsewhere := []string{"X-Forwarded-For", "203.0.113.1"}
	const public = `{"status":"healthy","version":"0.0.0-test","api_version":"v1","uptime_seconds":0}`
	full := strings.TrimSuffix(public, "}") +
		`,"build_date":"today","build":"0.0.0-test, abc (main)","isolation":"ISOLATION","active_connections":0,"active_subscriptions":0,"queries_per_second":0}`
	for _, path := range []string{"/health", "/v1/health", "/v1/api/healthcheck"} {
		for _, tt := range []struct {
			name, token, want string
			headers           []string
		}{
			{"here", "", full, nil}, {"elsewhere", "", public, elsewhere}, {"a user elsewhere", user, public, elsewhere},
			{"an admin elsewhere", dba, full, elsewhere},
			{"a bad token elsewhere", "nonsense", public, elsewhere},
		} {
			res := h.do("GET", path, tt.token, nil, tt.headers...)
			if res.status != http.StatusOK || normal(res.body) != tt.want {
				t.Errorf("%s, %s: %d %s, want %s", path, tt.name, res.status, normal(res.body), tt.want)
			}
		}
	}
	if res := h.do("GET", "/v1/api/cluster/health", "", nil, elsewhere...); res.status != http.StatusOK ||
		!strings.Contains(res.body, `"is_cluster_mode":false`) || strings.Contains(res.body, "today") {
		t.Errorf("%d %s", res.status, res.body)
	}
}

func TestQueriesPerSecond(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	for range 20 {
		h.sql(root, "SELECT 1")
	}
	h.clock.move(2 * time.Second)
	if res := h.do("GET", "/health", "", nil); strings.Contains(res.body, `"queries_per_second":0}`) {
		t.Errorf("%s", res.body)
	}
	h.clock.move(time.Minute)
	if res := h.do("GET", "/health", "", nil); !strings.Contains(res.body, `"queries_per_second":0}`) {
		t.Errorf("a minute later: %s", res.body)
	}
}

func TestAPIVersion(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Server.APIVersion = "v7" }})
	for path, status := range map[string]int{"/v7/health": http.StatusOK, "/v1/health": http.StatusNotFound,
		"/health": http.StatusOK, "/v7/api/sql": http.StatusMethodNotAllowed} {
		if res := h.do("GET", path, "", nil); res.status != status {
			t.Errorf("%s: %d, want %d", path, res.status, status)
		}
	}
}

func TestCORS(t *testing.T) {
	preflight := func(h *harness, origin string) response {
		return h.do("OPTIONS", "/v1/api/sql", "", nil, "Origin", origin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "authorization,content-type")
	}
	t.Run("default", func(t *testing.T) {
		h := start(t, setup{})
		for _, res := range []response{preflight(h, "https://app.example"),
			h.do("GET", "/health", "", nil, "Origin", "https://app.example")} {
			if got := res.header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("allowed %q", got)
			}
		}
		if res := preflight(h, "https://app.example"); res.status != http.StatusForbidden ||
			!strings.Contains(res.body, "server.cors_origins") {
			t.Errorf("refused with %d %s", res.status, res.body)
		}
		if res := preflight(h, h.url); res.status != http.StatusMethodNotAllowed {
			t.Errorf("a page of the server: %d %s", res.status, res.body)
		}
	})
	t.Run("configured", func(t *testing.T) {
		h := start(t, setup{config: func(c *config.Config) {
			c.Server.CORSOrigins = []string{"https://app.example", "http://localhost:3000"}
		}})
		res := preflight(h, "https://app.example")
		if res.status != http.StatusNoContent || res.header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
			res.header.Get("Access-Control-Max-Age") != "3600" {
			t.Errorf("%d %v", res.status, res.header)
		}
		refused := preflight(h, "https://evil.example")
		if got := refused.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("another origin is allowed as %q", got)
		}
		if refused.status != http.StatusForbidden || !strings.Contains(refused.body, "server.cors_origins") ||
			!strings.Contains(refused.body, "https://evil.example") {
			t.Errorf("refused with %d %s", refused.status, refused.body)
		}
	})
	t.Run("malformed", func(t *testing.T) {
		for _, origins := range [][]string{{"app.example"}, {"https://app.example/path"}, {"ftp://app.example"},
			{"*", "https://app.example"}, {"https://*.example"}, {""}} {
			cfg := config.Default()
			cfg.Storage.DataPath, cfg.Server.CORSOrigins, cfg.Query.MemoryLimit = t.TempDir(), origins, "500MB"
			e, err := engine.Open(t.Context(), cfg, engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := api.New(api.Options{Engine: e}); err == nil || !strings.Contains(err.Error(), "server.cors_origins") {
				t.Errorf("%q: %v", origins, err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestShutdown checks the order of a stop: running requests are finished, new
// ones refused, /health tells, and the engine is drained last.
func TestShutdown(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	draining, drained := make(chan struct{}), make(chan struct{})
	h := start(t, setup{drain: func(context.Context) error { close(draining); <-drained; return nil }})
	h.server.SetExecutor(func(_ context.Context, p kalam.Principal, _ session.Request, out session.Results) error {
		entered <- struct{}{}
		<-release
		return out.Done(session.Done{Message: "finished", AsUser: p.User, Statement: 1})
	})
	root := h.root()
	running, idle := h.dial(), h.dial()
	running.write(sqlText(root, "x"))
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- h.stop() }()
	eventually.True(t, "health says that the server stops",
		func() bool { return h.do("GET", "/health", "", nil).status == http.StatusServiceUnavailable })
	if res := h.do("GET", "/health", "", nil); !strings.Contains(res.body, `"status":"shutting down"`) {
		t.Errorf("health: %s", res.body)
	}
	idle.write(sqlText(root, "y"))
	res := idle.read()
	if res.status != http.StatusServiceUnavailable || !res.closes ||
		!strings.Contains(res.body, `"code":"SHUTTING_DOWN","message":"Server is shutting down"`) {
		t.Errorf("new request: %d %s", res.status, res.body)
	}
	for _, path := range []string{"login", "refresh", "logout"} {
		if res := h.do("POST", "/v1/api/auth/"+path, "",
			`{"user":"root","password":"x"}`); res.status != http.StatusServiceUnavailable ||
			!strings.Contains(res.body, `"error":"SHUTTING_DOWN"`) {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}
	}
	select {
	case <-draining:
		t.Error("the engine was drained while a request ran")
	default:
	}
	close(release)
	if res := running.read(); res.status != http.StatusOK || !strings.Contains(res.body, "finished") {
		t.Errorf("running request: %d %s", res.status, res.body)
	}
	<-draining
	if res := h.do("GET", "/health", "", nil); res.status != http.StatusServiceUnavailable {
		t.Errorf("health while draining: %d", res.status)
	}
	close(drained)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := running.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is open: %v", err)
	}
}

// TestShutdownCutsOff checks that a request that does not end is cancelled after
// the grace.
func TestShutdownCutsOff(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Server.ShutdownGrace = 0 }})
	b := newBlocked()
	h.server.SetExecutor(rowsThen(0, b.run))
	c := h.dial()
	c.write(sqlText(h.root(), "x"))
	<-b.entered
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	if err := b.wait(t, time.Second); kalam.CodeOf(err) != kalam.CodeShuttingDown {
		t.Errorf("cancelled by %v", err)
	}
	if res := c.read(); res.status == http.StatusOK {
		t.Errorf("%d %s", res.status, res.body)
	}
}

// TestShutdownWithStuckClients checks that clients that read nothing of a long
// result, and ones that never finish their request, do not hold up a stop.
func TestShutdownWithStuckClients(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Server.ShutdownGrace = 0 }})
	root := h.root()
	ended := make(chan error, 1)
	h.server.SetExecutor(func(ctx context.Context, p kalam.Principal, r session.Request, out session.Results) error {
		err := rowsThen(1<<20, func(context.Context) error { return nil })(ctx, p, r, out)
		ended <- err
		return err
	})
	stuck, silent, unfinished := h.dial(), h.dial(), h.dial()
	stuck.write(sqlText(root, "x"))
	if _, err := stuck.r.ReadByte(); err != nil {
		t.Fatal(err)
	}
	unfinished.write("POST /v1/api/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root +
		"\r\nContent-Type: application/json\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("{", 10000))
	began := time.Now()
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the statement went well")
		}
	default:
		t.Error("the statement has not ended")
	}
	if _, err := silent.r.ReadByte(); err == nil {
		t.Error("a silent connection is open")
	}
}

func TestDrainError(t *testing.T) {
	broken := errors.New("broken")
	h := start(t, setup{drain: func(context.Context) error { return broken }})
	err := h.stop()
	if !errors.Is(err, broken) {
		t.Errorf("Serve returned %v", err)
	}
	h.stop = func() error { return nil }
}
