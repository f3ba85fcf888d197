package engine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
)

// TestSystemSchemasOptions reads the options of tables from every system table that
// shows them (case B8).
func TestSystemSchemasOptions(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	tables := []struct {
		name, create string
		want         map[string]any
	}{
		{"u", "CREATE USER TABLE app.u (id BIGINT PRIMARY KEY) WITH (FLUSH_POLICY = 'rows:10,interval:5', USE_USER_STORAGE = true)",
			map[string]any{"type": "USER", "storage_id": "local", "flush_policy": "rows:10,interval:5",
				"flush_row_limit": 10.0, "flush_interval_seconds": 5.0, "use_user_storage": true}},
		{"plain", "CREATE USER TABLE app.plain (id BIGINT PRIMARY KEY)",
			map[string]any{"type": "USER", "storage_id": "local"}},
		{"s", "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY) WITH (ACCESS_LEVEL = 'RESTRICTED', FLUSH_POLICY = 'manual')",
			map[string]any{"type": "SHARED", "storage_id": "local", "access_level": "restricted", "flush_policy": "manual"}},
		{"e", "CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY) WITH (TTL_SECONDS = 3600)",
			map[string]any{"type": "STREAM", "ttl_seconds": 3600.0}},
	}
	for _, tt := range tables {
		s.must(root, tt.create)
		for _, view := range []string{"schemas", "tables"} {
			var text string
			cell := s.single(root,
				fmt.Sprintf("SELECT options FROM system.%s WHERE namespace_id = 'app' AND table_name = '%s'", view, tt.name))
			if err := json.Unmarshal([]byte(cell), &text); err != nil {
				t.Fatalf("%s of system.%s: %v", cell, view, err)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%s of system.%s: %v", text, view, err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("%s of system.%s (-want +got):\n%s", tt.name, view, d)
			}
		}
	}
}

// TestSystemStatsOfKalamDB reads system.stats under KalamDB's names, and checks each
// against what is known here (case B9).
func TestSystemStatsOfKalamDB(t *testing.T) {
	start := time.Now()
	s := &server{t: t, config: config.Default(), opts: engine.Options{
		Build: engine.Build{Version: "1.2.3", Commit: "abc", Branch: "main", BuildDate: "today"},
	}}
	s.config.Storage.DataPath, s.config.Auth.BcryptCost = t.TempDir(), 4
	s.config.Server.NodeID, s.config.Query.Threads, s.config.RateLimit.MaxConnectionsPerIP = 7, 3, 55
	s.start()
	defer s.stop()
	read := func() map[string]string {
		out := map[string]string{}
		for _, row := range s.must(root, "SELECT metric_name, metric_value FROM system.stats").rows {
			name := strings.Trim(row[0], `"`)
			if _, twice := out[name]; twice {
				t.Errorf("%s is there twice", name)
			}
			out[name] = strings.Trim(row[1], `"`)
		}
		return out
	}
	before := read()
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY); CREATE USER ann WITH PASSWORD 'a-good-password' ROLE user")
	s.must(root, "CREATE USER bob WITH PASSWORD 'a-good-password' ROLE user; DROP USER bob; INSERT INTO app.t VALUES (1)")
	s.flush()
	f := s.follow(userOf("ann"), "SELECT * FROM app.t", nil, false)
	defer f.query.Close()
	got := read()
	exact := map[string]string{
		"server_version": "1.2.3", "server_git_commit": "abc", "server_git_branch": "main", "server_build_date": "today",
		"node_id": "7", "cluster_mode": "false", "pid": strconv.Itoa(os.Getpid()), "server_workers_configured": "3", "server_workers_effective": "3",
		"max_connections": "55", "total_users": "3", "total_namespaces": "2", "total_tables": "1", "total_storages": "1", "total_jobs": "2",
		"jobs_running": "0", "jobs_queued": "0", "jobs_failed": "0", "active_subscriptions": "1", "active_connections": "0",
		"schema_cache_size": "1", "schema_registry_size": "1",
	}
	for name, want := range exact {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	least := map[string]float64{
		"memory_usage_mb": 1, "memory_rss_mb": 20, "thread_count": 3, "open_files_total": 5, "plan_cache_size": 1, "server_uptime_seconds": 0, "cpu_usage_percent": 0,
	}
	for name, want := range least {
		if n, err := strconv.ParseFloat(got[name], 64); err != nil || n < want || n > 1e6 {
			t.Errorf("%s is %q", name, got[name])
		}
	}
	if up, err := strconv.Atoi(got["server_uptime_seconds"]); err != nil || up > int(time.Since(start)/time.Second) ||
		got["uptime_seconds"] == "" {
		t.Errorf("server_uptime_seconds is %s", got["server_uptime_seconds"])
	}
	for _, name := range []string{"total_users", "total_namespaces", "total_tables", "total_jobs",
		"active_subscriptions"} {
		if before[name] == got[name] {
			t.Errorf("%s stays %s", name, got[name])
		}
	}
	names := make([]string, 0, len(got))
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(exact)+len(least)+1 > len(names) || got["server_uptime_human"] == "" {
		t.Errorf("names %v", names)
	}
	if _, err := s.try(userOf("ann"), "SELECT * FROM system.stats"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("system.stats as a user: %v", err)
	}
}
