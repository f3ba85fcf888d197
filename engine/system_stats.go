package engine

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
)

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

// statRows lists counters and gauges of the server: our own names, then those of
// KalamDB. What the operating system does not tell has no row.
func statRows(ctx context.Context, s *session) ([][]kalam.Value, error) {
	stats := append(s.e.ownStats(), s.e.processStats()...)
	stats = append(stats, s.e.buildStats()...)
	stats = append(stats, s.e.catalogStats()...)
	jobs, err := s.e.jobStats(ctx)
	if err != nil {
		return nil, err
	}
	stats = append(stats, jobs...)
	rows := make([][]kalam.Value, 0, len(stats)+1)
	for _, st := range stats {
		rows = append(rows, []kalam.Value{kalam.Text(st.name), kalam.Text(st.value)})
	}
	return append(rows, s.e.lagRows()...), nil
}

func (e *Engine) ownStats() []stat {
	b, q := e.store.Stats(), e.query.Stats()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return []stat{
		number("uptime_seconds", int64(e.now().Sub(e.started)/time.Second)),
		number("requests", e.counters.Requests.Load()),
		number("active_connections", e.counters.Connections.Load()),
		number("active_subscriptions", int64(e.hub.Count())),
		number("buffer_rows", b.Buffered),
		number("buffer_bytes", b.Bytes),
		number("buffer_scopes_in_memory", int64(b.Scopes)),
		number("buffer_commits", b.Commits),
		number("buffer_syncs", b.Groups),
		number("buffer_rows_written", b.Rows),
		number("query_plan_cache_hits", q.PlanHits),
		number("query_plan_cache_misses", q.PlanMisses),
		number("query_plan_cache_size", int64(q.Plans)),
		number("queries_running", q.Running),
		number("queries_waiting", q.Waiting),
		number("namespaces", int64(len(e.catalog.Namespaces()))),
		number("tables", int64(len(e.catalog.Tables("")))),
		number("users", int64(len(e.catalog.Users()))),
		number("active_jobs", int64(len(e.catalog.ActiveJobs()))),
		number("go_heap_bytes", int64(memory.HeapAlloc)),
		number("goroutines", int64(runtime.NumGoroutine())),
		number("plan_cache_size", int64(q.Plans)),
		number("memory_usage_mb", int64(memory.Sys-memory.HeapReleased)>>20),
	}
}

// processStats tells of the process, under KalamDB's names.
func (e *Engine) processStats() []stat {
	up, u := e.now().Sub(e.started).Truncate(time.Second), readProcess()
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
		stats = append(stats, stat{"cpu_usage_percent", fmt.Sprintf("%.2f", e.cpu.percent(u.cpu, time.Now()))})
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

// buildStats tells what program this is and how it is configured, under KalamDB's
// names. max_connections is of one address: there is no limit for all.
func (e *Engine) buildStats() []stat {
	threads := e.config.Query.Threads
	stats := []stat{
		number("server_workers_configured", int64(threads)),
		number("server_workers_effective", int64(e.query.Stats().Threads)),
		number("max_connections", int64(e.config.RateLimit.MaxConnectionsPerIP)),
		number("node_id", int64(e.config.Server.NodeID)),
		{"cluster_mode", "false"},
	}
	for _, st := range []stat{
		{"server_version", e.build.Version}, {"server_build_date", e.build.BuildDate},
		{"server_git_branch", e.build.Branch}, {"server_git_commit", e.build.Commit},
	} {
		if st.value != "" {
			stats = append(stats, st)
		}
	}
	return stats
}

// catalogStats counts what the catalog holds, under KalamDB's names. The definitions
// of all tables are in memory: the newest of each, and all versions.
func (e *Engine) catalogStats() []stat {
	users := 0
	for _, u := range e.catalog.Users() {
		if !u.IsDeleted() {
			users++
		}
	}
	tables, versions := e.catalog.Tables(""), 0
	for _, t := range tables {
		versions += t.SchemaVersion
	}
	return []stat{
		number("total_users", int64(users)),
		number("total_namespaces", int64(len(e.catalog.Namespaces()))),
		number("total_tables", int64(len(tables))),
		number("total_storages", int64(len(e.catalog.Storages()))),
		number("schema_cache_size", int64(len(tables))),
		number("schema_registry_size", int64(versions)),
	}
}

// jobStats counts the jobs that are remembered, under KalamDB's names.
func (e *Engine) jobStats(ctx context.Context) ([]stat, error) {
	var total, running, queued, failed int64
	for j, err := range e.catalog.Jobs(ctx) {
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
func (e *Engine) lagRows() [][]kalam.Value {
	var rows [][]kalam.Value
	for _, t := range e.catalog.Tables("") {
		if n, _, oldest := e.store.TableStats(t.Number); n > 0 {
			lag := max(0, int64(e.now().Sub(oldest.Time())/time.Second))
			name := "flush_lag_seconds." + t.ID.String()
			rows = append(rows, []kalam.Value{kalam.Text(name), kalam.Text(strconv.FormatInt(lag, 10))})
		}
	}
	return rows
}
