package api_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link/wire"
)

// lakeRead is more than the time for which the sizes of the lake are kept.
const lakeRead = time.Minute

// figure returns the value of a series in an answer of /metrics; ok is false when there is none.
func figure(t testing.TB, body, series string) (v float64, ok bool) {
	t.Helper()
	for line := range strings.Lines(body) {
		if name, value, found := cutLast(strings.TrimSpace(line)); found && name == series {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return v, true
		}
	}
	return 0, false
}

func cutLast(line string) (name, value string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// TestMetrics writes, reads, fails, is refused and flushes, and finds all of it in the figures, and nothing of a user.
func TestMetrics(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) {
		c.RateLimit.MaxQueriesPerSec = 10
		c.Metrics.MaxTables = 2
	}})
	root, canary := h.root(), h.user("canary-user", kalam.RoleUser)
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.big (id BIGINT PRIMARY KEY, v TEXT); "+
		"CREATE USER TABLE app.small (id BIGINT PRIMARY KEY) FLUSH_POLICY 'manual'; CREATE USER TABLE app.smaller (id BIGINT PRIMARY KEY)")
	h.mustSQL(canary, "INSERT INTO app.big VALUES (1, 'canary-value'), (2, 'canary-value')")
	h.mustSQL(canary, "INSERT INTO app.small VALUES (1)")
	h.mustSQL(canary, "SELECT v FROM app.big WHERE id = 1")
	h.mustSQL(canary, "SELECT count(*) FROM app.big WHERE v <> 'canary-other'")
	if res := h.sql(canary, "SELECT canary_column FROM app.big"); res.status == http.StatusOK {
		t.Fatal(res.body)
	}
	eventually.True(t, "a user is refused for sending too much", func() bool {
		return h.sql(canary, "SELECT 1").status == http.StatusTooManyRequests
	})
	h.mustSQL(root, "STORAGE FLUSH TABLE app.big")
	var body string
	eventually.True(t, "the flushed file is counted", func() bool {
		h.clock.move(lakeRead)
		res := h.do("GET", "/metrics", "", nil)
		if res.status != http.StatusOK || !strings.HasPrefix(res.header.Get("Content-Type"), "text/plain; version=0.0.4") {
			t.Fatalf("status %d, %v", res.status, res.header)
		}
		body = res.body
		n, _ := figure(t, body, `kalam_table_segments{namespace="app",table="big"}`)
		left, _ := figure(t, body, `kalam_buffer_rows`)
		return n == 1 && left == 1
	})
	for series, want := range map[string]float64{
		`kalam_buffer_batch_rows_sum`:                                     3,
		`kalam_buffer_commit_seconds_count`:                               2,
		`kalam_statement_seconds_count{kind="insert",role="user"}`:        2,
		`kalam_statement_seconds_count{kind="schema",role="system"}`:      4,
		`kalam_statement_seconds_count{kind="maintenance",role="system"}`: 1,
		`kalam_statement_errors_total{code="invalid_sql"}`:                1,
		`kalam_table_segment_rows{namespace="app",table="big"}`:           2,
		`kalam_table_buffer_rows{namespace="app",table="small"}`:          1,
		`kalam_table_buffer_rows{namespace="",table="(others)"}`:          0,
		`kalam_buffer_rows`:        1,
		`kalam_tables`:             3,
		`kalam_degraded`:           0,
		`kalam_buffer_limit_bytes`: 1 << 30,
		`kalam_build_info{commit="",go="` + runtime.Version() + `",version=""}`: 1,
		`kalam_rejected_total{reason="rate_limit_exceeded",status="429"}`:       -1, // At least 1.
		`kalam_statement_seconds_count{kind="select",role="user"}`:              -1,
		`kalam_buffer_sync_seconds_count`:                                       -1,
		`kalam_query_started_total`:                                             -1,
		`kalam_cache_misses_total{cache="plans"}`:                               -1,
		`kalam_disk_free_bytes{disk="buffer"}`:                                  -1,
		`kalam_disk_free_bytes{disk="storage"}`:                                 -1,
		`kalam_table_segment_bytes{namespace="app",table="big"}`:                -1,
		`kalam_table_flush_lag_seconds{namespace="app",table="small"}`:          -1,
		`kalam_buffer_oldest_row_seconds`:                                       -1,
		`go_goroutines`:                                                         -1,
		`process_resident_memory_bytes`:                                         -1,
	} {
		if got, ok := figure(t, body, series); !ok || want >= 0 && got != want || want < 0 && got <= 0 {
			t.Errorf("%s is %v, want %v (-1: more than 0)", series, got, want)
		}
	}
	if strings.Contains(body, "canary") || strings.Contains(body, "smaller") {
		t.Errorf("the figures tell of a user, of a statement, or of more tables than they may:\n%s", body)
	}
	documented(t, body)
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// documented checks that docs/reference/metrics.md has a line for every figure of ours, and none for others.
func documented(t *testing.T, body string) {
	t.Helper()
	raw, err := os.ReadFile("../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "| `kalam_") && strings.Count(line, " | ") == 2 {
			lines[strings.TrimSpace(line)] = true
		}
	}
	helps := map[string]string{}
	for line := range strings.Lines(body) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(f) < 4 || f[0] != "#" || !strings.HasPrefix(f[2], "kalam_") {
			continue
		}
		if f[1] == "HELP" {
			helps[f[2]] = f[3]
			continue
		}
		want := fmt.Sprintf("| `%s` | %s | %s |", f[2], f[3], helps[f[2]])
		if !lines[want] {
			t.Errorf("missing line:\n%s", want)
		}
		delete(lines, want)
	}
	for line := range lines {
		t.Errorf("line about no figure:\n%s", line)
	}
}

// TestMetricsOfLiveQueries counts subscriptions, and measures how long their events take.
func TestMetricsOfLiveQueries(t *testing.T) {
	h, alice := live(t, setup{})
	p := h.enter(alice, "")
	p.subscribe("s", "SELECT * FROM app.notes", nil)
	for p.read().Type != wire.TypeSubscriptionAck {
	}
	h.mustSQL(alice, "INSERT INTO app.notes (id) VALUES (1)")
	for p.read().Type != wire.TypeChange {
	}
	body := h.do("GET", "/metrics", "", nil).body
	for series, want := range map[string]float64{
		`kalam_live_subscriptions`: 1, `kalam_live_lag_seconds_count`: 1, `kalam_live_queued_events`: 0, `kalam_connections`: 1,
	} {
		if got, ok := figure(t, body, series); !ok || got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

// TestMetricsAccess tries to read the figures as those for whom they are not.
func TestMetricsAccess(t *testing.T) {
	h := start(t, setup{})
	root, user, service := h.root(), h.user("alice", kalam.RoleUser), h.user("app", kalam.RoleService)
	proxied := []string{"X-Forwarded-For", "192.0.2.7"}
	for _, tt := range []struct {
		name, token string
		headers     []string
		status      int
	}{
		{"this machine", "", nil, http.StatusOK},
		{"through a proxy", "", proxied, http.StatusForbidden},
		{"a user through a proxy", user, proxied, http.StatusForbidden},
		{"a service through a proxy", service, proxied, http.StatusForbidden},
		{"no valid token through a proxy", "x.y.z", proxied, http.StatusForbidden},
		{"root through a proxy", root, proxied, http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := h.do("GET", "/metrics", tt.token, nil, tt.headers...)
			if res.status != tt.status || (res.status == http.StatusOK) != strings.Contains(res.body, "kalam_build_info") {
				t.Errorf("status %d, want %d; %s", res.status, tt.status, res.body)
			}
		})
	}
	page, err := http.NewRequestWithContext(t.Context(), "GET", h.url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	page.Host = "evil.example" // That points to this machine.
	if res := h.send(page); res.status != http.StatusForbidden {
		t.Errorf("a page under another name: %d", res.status)
	}
	if res := h.do("POST", "/metrics", root, nil); res.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", res.status)
	}
	off := start(t, setup{config: func(c *config.Config) { c.Metrics.Enabled = false }})
	if res := off.do("GET", "/metrics", off.root(), nil); res.status != http.StatusNotFound {
		t.Errorf("switched off: %d", res.status)
	}
}

// TestMetricsListener answers GET /metrics on an address of its own, and nothing else.
func TestMetricsListener(t *testing.T) {
	h := start(t, setup{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- h.engine.Metrics().Serve(ctx, ln) }()
	ask := func(method, path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+ln.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "kalam.example:9464"
		res, err := h.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, body := ask("GET", "/metrics"); status != http.StatusOK || !strings.Contains(body, "kalam_build_info") {
		t.Errorf("status %d, %s", status, body)
	}
	for path, want := range map[string]int{"/health": 404, "/v1/health": 404, "/": 404, "/v1/api/sql": 404} {
		if status, _ := ask("GET", path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	if status, _ := ask("POST", "/metrics"); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", status)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("after its end: %v", err)
	}
}
