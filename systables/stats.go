package systables

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/subscribe"
)

// Counters are gauges that no part keeps for itself.
type Counters struct {
	Requests    atomic.Int64 // Requests since the start.
	Connections atomic.Int64 // Open WebSocket connections.
}

// SessionCache are the counters and gauges of the session cache.
type SessionCache struct {
	Hits, Misses int64
	Sessions     int
	Statements   int
}

// Build says what program this is. Empty fields are unknown.
type Build struct {
	Version   string
	Commit    string
	Branch    string
	BuildDate string
}

// stat is one row of system.stats.
type stat struct{ name, value string }

func number(name string, n int64) stat { return stat{name, strconv.FormatInt(n, 10)} }

// Stats is what system.stats is computed from.
type Stats struct {
	Catalog        *catalog.Catalog
	Store          *buffer.Store
	Query          func() query.Stats
	Hub            *subscribe.Hub
	Sessions       func() SessionCache
	Counters       *Counters
	Build          Build
	Started        time.Time
	Now            func() time.Time
	Threads        int // Of DuckDB, as configured.
	MaxConnections int // Of one address.
	NodeID         int

	cpu cpuMeter
}

// Tables returns the table. From now on it measures the use of the processor.
func (s *Stats) Tables() []Table {
	s.cpu.start()
	return []Table{{Closed("stats", `metric_name TEXT, metric_value TEXT`), s.rows}}
}

// rows lists counters and gauges of the server: our own names, then those of
// KalamDB. What the operating system does not tell has no row.
func (s *Stats) rows(ctx context.Context, _ Viewer) ([][]kalam.Value, error) {
	stats := append(s.own(), s.workers()...)
	stats = append(stats, s.process()...)
	stats = append(stats, s.build()...)
	stats = append(stats, s.catalog()...)
	jobs, err := s.jobs(ctx)
	if err != nil {
		return nil, err
	}
	stats = append(stats, jobs...)
	rows := make([][]kalam.Value, 0, len(stats)+1)
	for _, st := range stats {
		rows = append(rows, []kalam.Value{kalam.Text(st.name), kalam.Text(st.value)})
	}
	return append(rows, s.lagRows()...), nil
}

// workers tells of the processes that run queries.
func (s *Stats) workers() []stat {
	q := s.Query()
	return []stat{
		{"query_isolation", q.Where()},
		number("query_workers", int64(q.Workers)),
		number("query_workers_busy", int64(q.Busy)),
		number("query_workers_slow", int64(q.Slow)),
		number("query_workers_started", q.Started),
		number("query_workers_killed", q.Killed),
		number("query_workers_died", q.Died),
		number("query_workers_memory_bytes", q.Memory),
		number("query_shared_bytes", q.Shared),
		number("query_results_waiting_bytes", q.Spooled),
	}
}

func (s *Stats) own() []stat {
	b, q, c := s.Store.Stats(), s.Query(), s.Sessions()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return []stat{
		number("uptime_seconds", int64(s.Now().Sub(s.Started)/time.Second)),
		number("requests", s.Counters.Requests.Load()),
		number("active_connections", s.Counters.Connections.Load()),
		number("active_subscriptions", int64(s.Hub.Count())),
		number("buffer_rows", b.Buffered),
		number("buffer_bytes", b.Bytes),
		number("buffer_scopes_in_memory", int64(b.Scopes)),
		number("buffer_commits", b.Commits),
		number("buffer_syncs", b.Groups),
		number("buffer_rows_written", b.Rows),
		number("query_plan_cache_hits", q.PlanHits),
		number("query_plan_cache_misses", q.PlanMisses),
		number("query_plan_cache_size", int64(q.Plans)),
		number("session_cache_hits", c.Hits),
		number("session_cache_misses", c.Misses),
		number("session_cache_size", int64(c.Sessions)),
		number("session_cache_statements", int64(c.Statements)),
		number("queries_running", q.Running),
		number("queries_waiting", q.Waiting),
		number("namespaces", int64(len(s.Catalog.Namespaces()))),
		number("tables", int64(len(s.Catalog.Tables("")))),
		number("users", int64(len(s.Catalog.Users()))),
		number("active_jobs", int64(len(s.Catalog.ActiveJobs()))),
		number("go_heap_bytes", int64(memory.HeapAlloc)),
		number("goroutines", int64(runtime.NumGoroutine())),
		number("plan_cache_size", int64(q.Plans)),
		number("memory_usage_mb", int64(memory.Sys-memory.HeapReleased)>>20),
	}
}

// process tells of the process, under KalamDB's names.
func (s *Stats) process() []stat {
	up, u := s.Now().Sub(s.Started).Truncate(time.Second), readProcess()
	stats := []stat{
		number("server_uptime_seconds", int64(up/time.Second)),
		{"server_uptime_human", humanDuration(up)},
		number("pid", int64(os.Getpid())),
	}
	if u.resident >= 0 {
		stats = append(stats, number("memory_rss_mb", u.resident>>20))
	}
	if u.threads >= 0 {
		stats = append(stats, number("thread_count", u.threads))
	}
	if u.files >= 0 {
		stats = append(stats, number("open_files_total", u.files))
	}
	if u.cpu >= 0 {
		stats = append(stats, stat{"cpu_usage_percent", fmt.Sprintf("%.2f", s.cpu.percent(u.cpu, time.Now()))})
	}
	return stats
}

// humanDuration returns a duration as "2d 3h 4m 5s", without leading zeros.
func humanDuration(d time.Duration) string {
	s := int64(d / time.Second)
	text := ""
	for _, unit := range []struct {
		seconds int64
		letter  string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
		if n := s / unit.seconds; n > 0 || text != "" {
			text += fmt.Sprintf("%d%s ", n, unit.letter)
			s %= unit.seconds
		}
	}
	return fmt.Sprintf("%s%ds", text, s)
}

// cpuMeter turns the processor time of a process into a percentage of one processor.
type cpuMeter struct {
	mu   sync.Mutex // guards the fields below
	at   time.Time  // Of the last reading.
	used time.Duration
	last float64
}

// start begins to measure.
func (m *cpuMeter) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.used = time.Now(), max(0, readProcess().cpu)
}

// minCPUSpan is the shortest time over which processor time is averaged: the operating
// system counts it in steps.
const minCPUSpan = 100 * time.Millisecond

// percent returns the use since the last reading, at first since the process began
// to be measured.
func (m *cpuMeter) percent(used time.Duration, now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if span := now.Sub(m.at); span >= minCPUSpan {
		m.last = 100 * float64(used-m.used) / float64(span)
		m.at, m.used = now, used
	}
	return m.last
}

// build tells what program this is and how it is configured, under KalamDB's
// names. max_connections is of one address: there is no limit for all.
func (s *Stats) build() []stat {
	threads := s.Threads
	stats := []stat{
		number("server_workers_configured", int64(threads)),
		number("server_workers_effective", int64(s.Query().Threads)),
		number("max_connections", int64(s.MaxConnections)),
		number("node_id", int64(s.NodeID)),
		{"cluster_mode", "false"},
	}
	for _, st := range []stat{
		{"server_version", s.Build.Version}, {"server_build_date", s.Build.BuildDate},
		{"server_git_branch", s.Build.Branch}, {"server_git_commit", s.Build.Commit},
	} {
		if st.value != "" {
			stats = append(stats, st)
		}
	}
	return stats
}

// catalog counts what the catalog holds, under KalamDB's names. The definitions
// of all tables are in memory: the newest of each, and all versions.
func (s *Stats) catalog() []stat {
	users := 0
	for _, u := range s.Catalog.Users() {
		if !u.IsDeleted() {
			users++
		}
	}
	tables, versions := s.Catalog.Tables(""), 0
	for _, t := range tables {
		versions += t.SchemaVersion
	}
	return []stat{
		number("total_users", int64(users)),
		number("total_namespaces", int64(len(s.Catalog.Namespaces()))),
		number("total_tables", int64(len(tables))),
		number("total_storages", int64(len(s.Catalog.Storages()))),
		number("schema_cache_size", int64(len(tables))),
		number("schema_registry_size", int64(versions)),
	}
}

// jobs counts the jobs that are remembered, under KalamDB's names.
func (s *Stats) jobs(ctx context.Context) ([]stat, error) {
	var total, running, queued, failed int64
	for j, err := range s.Catalog.Jobs(ctx) {
		if err != nil {
			return nil, err
		}
		total++
		switch j.Status {
		case kalam.JobRunning:
			running++
		case kalam.JobPending, kalam.JobRetrying:
			queued++
		case kalam.JobFailed:
			failed++
		case kalam.JobCompleted, kalam.JobCancelled, kalam.JobSkipped: // Counted in the total alone.
		}
	}
	return []stat{
		number("total_jobs", total),
		number("jobs_running", running),
		number("jobs_queued", queued),
		number("jobs_failed", failed),
	}, nil
}

// lagRows gives the age of the oldest buffered row of each table in seconds.
func (s *Stats) lagRows() [][]kalam.Value {
	var rows [][]kalam.Value
	for _, t := range s.Catalog.Tables("") {
		if n, _, oldest := s.Store.TableStats(t.Number); n > 0 {
			lag := max(0, int64(s.Now().Sub(oldest.Time())/time.Second))
			name := "flush_lag_seconds." + t.ID.String()
			rows = append(rows, []kalam.Value{kalam.Text(name), kalam.Text(strconv.FormatInt(lag, 10))})
		}
	}
	return rows
}
