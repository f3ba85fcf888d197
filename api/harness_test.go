package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/query/worker"
	"github.com/kalamlake/kalam/session"
)

func TestMain(m *testing.M) {
	if code, ok := worker.Main(); ok {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps one clock for all servers, and the cleaner of a worker
		// pool sleeps before it notices that the pool was stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

const rootPassword = "root-password-of-tests"

// harness is a server with a real engine on a free port.
type harness struct {
	t      testing.TB
	server *api.Server
	engine *engine.Engine
	config config.Config
	addr   string
	url    string
	log    *lockedBuffer
	client *http.Client
	stop   func() error // Stops the server and waits for it; it may be called twice.
	clock  *clock
}

// setup changes a harness before it starts.
type setup struct {
	config func(*config.Config)
	server func(*api.Server)
	noRoot bool
	// around puts something before the engine as what runs statements.
	around func(api.ExecutorFunc) api.ExecutorFunc
	drain  func(context.Context) error
}

// start runs a server until the test ends.
func start(t *testing.T, s setup) *harness {
	t.Helper()
	return startFor(t, s)
}

// startFor is start for tests and benchmarks.
func startFor(t testing.TB, s setup) *harness {
	t.Helper()
	cfg := config.Default()
	cfg.Storage.DataPath = t.TempDir()
	cfg.Auth.BcryptCost = 4
	cfg.Server.ShutdownGrace = 5
	cfg.Flush.OnShutdown = false
	cfg.Query.MemoryLimit = "1GB"
	if s.config != nil {
		s.config(&cfg)
	}
	h := &harness{t: t, config: cfg, log: &lockedBuffer{}, clock: &clock{}}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	password := rootPassword
	if s.noRoot {
		password = ""
	}
	var err error
	h.engine, err = engine.Open(t.Context(), cfg, engine.Options{Logger: log, RootPassword: password, Now: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	h.server, err = api.New(api.Options{
		Engine: h.engine, Logger: log, Now: h.clock.Now, Drain: s.drain,
		Version: api.Version{Version: "0.0.0-test", Commit: "abc", Branch: "main", BuildDate: "today"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.around != nil {
		h.server.SetExecutor(s.around(h.engine.Execute))
	}
	if s.server != nil {
		s.server(h.server)
	}
	h.run()
	return h
}

// run serves on a free port until stop.
func (h *harness) run() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	h.url = "http://" + h.addr
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	h.client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	serveCtx, stopServe := context.WithCancel(context.Background())
	runCtx, stopRun := context.WithCancel(context.Background())
	var work sync.WaitGroup
	var served, ran error
	work.Add(2)
	go func() { defer work.Done(); defer stopRun(); served = h.server.Serve(serveCtx, ln) }()
	go func() { defer work.Done(); ran = h.engine.Run(runCtx) }()
	h.stop = sync.OnceValue(func() error {
		stopServe()
		work.Wait()
		transport.CloseIdleConnections()
		if ran != nil {
			h.t.Errorf("engine.Run: %v", ran)
		}
		return served
	})
	h.t.Cleanup(func() {
		if err := h.stop(); err != nil {
			h.t.Errorf("Serve: %v", err)
		}
		if err := h.engine.Close(); err != nil {
			h.t.Errorf("close engine: %v", err)
		}
		if h.t.Failed() {
			h.t.Logf("log of the server:\n%s", h.log)
		}
	})
}

// discard takes results and drops them.
type discard struct{}

func (discard) StartRows(session.RowsHeader) error { return nil }
func (discard) Batch(arrow.RecordBatch) error      { return nil }
func (discard) Values([]kalam.Value) error         { return nil }
func (discard) EndRows(session.RowsTrailer) error  { return nil }
func (discard) Done(session.Done) error            { return nil }

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// clock is the wall clock, moved by what a test adds.
type clock struct {
	mu    sync.Mutex
	moved time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.moved)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved += d
}

// response is an answer that was read to its end.
type response struct {
	status int
	header http.Header
	body   string
	err    error // Of reading the body.
	closes bool  // The connection ends.
}

// do sends a request. body is sent as JSON unless it is nil.
func (h *harness) do(method, path, token string, body any, headers ...string) response {
	h.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case io.Reader:
		r = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			h.t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, r)
	if err != nil {
		h.t.Fatal(err)
	}
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return h.send(req)
}

func (h *harness) send(req *http.Request) response {
	h.t.Helper()
	res, err := h.client.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return response{status: res.StatusCode, header: res.Header, body: string(raw), err: err}
}

// login returns the answer of the login endpoint.
func (h *harness) login(user, password string) wire.LoginResponse {
	h.t.Helper()
	res := h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": user, "password": password})
	if res.status != http.StatusOK {
		h.t.Fatalf("login as %s: status %d, body %s", user, res.status, res.body)
	}
	var out wire.LoginResponse
	decode(h.t, res.body, &out)
	return out
}

// root returns an access token of root.
func (h *harness) root() string {
	h.t.Helper()
	return h.login("root", rootPassword).AccessToken
}

// user creates a user and returns an access token.
func (h *harness) user(name string, role kalam.Role) string {
	h.t.Helper()
	_, err := h.engine.Catalog().CreateUser(h.t.Context(),
		kalam.Principal{User: "root", Role: kalam.RoleSystem}, catalog.NewUser{
			ID: kalam.UserID(name), Password: name + "-password", Role: role,
		})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.login(name, name+"-password").AccessToken
}

// sql sends statements and returns the answer.
func (h *harness) sql(token, sql string, params ...any) response {
	h.t.Helper()
	body := map[string]any{"sql": sql}
	if len(params) > 0 {
		body["params"] = params
	}
	return h.do("POST", "/v1/api/sql", token, body)
}

// mustSQL is sql for statements that must succeed.
func (h *harness) mustSQL(token, sql string, params ...any) wire.Response {
	h.t.Helper()
	res := h.sql(token, sql, params...)
	if res.status != http.StatusOK {
		h.t.Fatalf("%s: status %d, body %s", sql, res.status, res.body)
	}
	var out wire.Response
	decode(h.t, res.body, &out)
	return out
}

func decode(t testing.TB, body string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
}
