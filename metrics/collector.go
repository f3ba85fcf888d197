package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/systables"
)

// collector reads, at each scrape, what the parts of the server count.
type collector struct {
	Options
	lake    *lakeSums
	figures []*prometheus.Desc // Of each of figures.
	build   *prometheus.Desc
	info    prometheus.Metric
	disks   diskDescs
	jobs    *prometheus.Desc
	tables  tableDescs
}

type diskDescs struct{ free, reserve *prometheus.Desc }

// state is what the figures of one scrape are computed from.
type state struct {
	buffer   buffer.Stats
	query    query.Stats
	sessions systables.SessionCache
	degraded bool
	o        *Options
}

// figure is a number of the whole server.
type figure struct {
	name, help string
	kind       prometheus.ValueType
	labels     prometheus.Labels
	value      func(s *state) int64
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

func cache(name string) prometheus.Labels { return prometheus.Labels{"cache": name} }

// The helps of the caches; equal names need equal ones.
const (
	hitsHelp   = "What was found in a cache."
	missesHelp = "What was not found in a cache."
)

// figures are the numbers of the whole server. Nearly all are in system.stats, too.
var figures = []figure{
	{"degraded", "1 when something does not work as it should; /health says what.", gauge, nil, func(s *state) int64 {
		if s.degraded {
			return 1
		}
		return 0
	}},
	{"requests_total", "Requests of the SQL endpoint that were executed.", counter, nil,
		func(s *state) int64 { return s.o.Stats.Counters.Requests.Load() }},
	{"connections", "Open WebSocket connections.", gauge, nil,
		func(s *state) int64 { return s.o.Stats.Counters.Connections.Load() }},
	{"live_subscriptions", "Live queries.", gauge, nil, func(s *state) int64 { return int64(s.o.Stats.Hub.Count()) }},
	{"live_queued_events", "Events that wait for the sockets of their live queries.", gauge, nil,
		func(s *state) int64 { return s.o.Stats.Hub.Queued() }},

	{"audit_records_total", "Records of the audit log that were written.", counter, nil,
		func(s *state) int64 { return s.o.Audit().Written }},
	{"audit_lost_total", "Events that the audit log could not write.", counter, nil,
		func(s *state) int64 { return s.o.Audit().Lost }},
	{"audit_bytes", "Bytes of the records of the audit log.", gauge, nil,
		func(s *state) int64 { return int64(s.o.Audit().Bytes) }},

	{"buffer_rows", "Row versions in the write buffer that are not flushed.", gauge, nil,
		func(s *state) int64 { return s.buffer.Buffered }},
	{"buffer_bytes", "Bytes of the keys and values in the write buffer that are not flushed.", gauge, nil,
		func(s *state) int64 { return s.buffer.Bytes }},
	{"buffer_limit_bytes", "Bytes at which writes are refused (buffer.max_bytes); 0: no limit.", gauge, nil,
		func(s *state) int64 { return s.o.BufferLimit }},
	{"buffer_rows_written_total", "Row versions that were committed.", counter, nil,
		func(s *state) int64 { return s.buffer.Rows }},
	{"buffer_waiting_writes", "Writes that wait for the committer.", gauge, nil,
		func(s *state) int64 { return int64(s.buffer.Queued) }},
	{"buffer_scopes", "Users of tables in memory.", gauge, nil, func(s *state) int64 { return int64(s.buffer.Scopes) }},

	{"query_running", "Queries that compute.", gauge, nil, func(s *state) int64 { return s.query.Running }},
	{"query_waiting", "Queries that wait for a place to compute.", gauge, nil,
		func(s *state) int64 { return s.query.Waiting }},
	{"query_started_total", "Queries that were given to DuckDB.", counter, nil,
		func(s *state) int64 { return s.query.Statements }},
	{"query_prepared_total", "Queries that a query worker had prepared already.", counter, nil,
		func(s *state) int64 { return s.query.PreparedHits }},
	{"query_workers", "Query worker processes.", gauge, nil, func(s *state) int64 { return int64(s.query.Workers) }},
	{"query_workers_busy", "Query workers that compute.", gauge, nil, func(s *state) int64 { return int64(s.query.Busy) }},
	{"query_workers_slow", "Query workers that compute what takes long.", gauge, nil,
		func(s *state) int64 { return int64(s.query.Slow) }},
	{"query_workers_started_total", "Query workers that were started.", counter, nil,
		func(s *state) int64 { return s.query.Started }},
	{"query_workers_killed_total", "Query workers that the server ended: out of time, out of memory, or used up.",
		counter, nil,
		func(s *state) int64 { return s.query.Killed }},
	{"query_workers_died_total", "Query workers that ended by themselves.", counter, nil,
		func(s *state) int64 { return s.query.Died }},
	{"query_memory_bytes", "Memory that the query workers, and DuckDB in them, hold for themselves.", gauge, nil,
		func(s *state) int64 { return s.query.Memory }},
	{"query_shared_bytes", "Buffered rows in memory that the server shares with its query workers.", gauge, nil,
		func(s *state) int64 { return s.query.Shared }},
	{"query_spool_bytes", "Results that wait for slow readers.", gauge, nil,
		func(s *state) int64 { return s.query.Spooled }},

	{"cache_hits_total", hitsHelp, counter, cache("plans"), func(s *state) int64 { return s.query.PlanHits }},
	{"cache_misses_total", missesHelp, counter, cache("plans"), func(s *state) int64 { return s.query.PlanMisses }},
	{"cache_hits_total", hitsHelp, counter, cache("sessions"), func(s *state) int64 { return s.sessions.Hits }},
	{"cache_misses_total", missesHelp, counter, cache("sessions"), func(s *state) int64 { return s.sessions.Misses }},
	{"cache_hits_total", hitsHelp, counter, cache("batches"), func(s *state) int64 { return s.query.ChunkHits }},
	{"cache_misses_total", missesHelp, counter, cache("batches"), func(s *state) int64 { return s.query.ChunkMiss }},

	{"tables", "Tables.", gauge, nil, func(s *state) int64 { return int64(len(s.o.Stats.Catalog.Tables(""))) }},
	{"users", "Users, dropped ones that can be restored included.", gauge, nil,
		func(s *state) int64 { return int64(len(s.o.Stats.Catalog.Users())) }},
}

func name(s string) string { return prometheus.BuildFQName("kalam", "", s) }

func newCollector(o Options, lake *lakeSums) *collector {
	c := &collector{Options: o, lake: lake, tables: newTableDescs()}
	for i := range figures {
		f := &figures[i]
		c.figures = append(c.figures, prometheus.NewDesc(name(f.name), f.help, nil, f.labels))
	}
	b := &o.Stats.Build
	c.build = prometheus.NewDesc(name("build_info"), "1; its labels say what program this is.",
		[]string{"version", "commit", "go"}, nil)
	c.info = prometheus.MustNewConstMetric(c.build, gauge, 1, b.Version, b.Commit, runtime.Version())
	disk := []string{"disk"}
	c.disks = diskDescs{
		free: prometheus.NewDesc(
			name("disk_free_bytes"),
			"What is free of the disk of the write buffer, and of the storage.",
			disk,
			nil,
		),
		reserve: prometheus.NewDesc(name("disk_reserve_bytes"), "What has to stay free of it for writes to be taken.", disk,
			nil),
	}
	c.jobs = prometheus.NewDesc(name("jobs_active"), "Jobs that have not ended, by their state.", []string{"state"}, nil)
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.figures {
		to <- d
	}
	for _, d := range append([]*prometheus.Desc{c.build, c.disks.free, c.disks.reserve, c.jobs}, c.tables.all()...) {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := &state{
		buffer: c.Stats.Store.Stats(), query: c.Stats.Query(), sessions: c.Stats.Sessions(), degraded: c.Degraded(), o: &c.Options,
	}
	for i := range figures {
		to <- prometheus.MustNewConstMetric(c.figures[i], figures[i].kind, float64(figures[i].value(s)))
	}
	to <- c.info
	for _, d := range c.Disks() {
		to <- prometheus.MustNewConstMetric(c.disks.free, gauge, float64(d.Free), d.Part)
		to <- prometheus.MustNewConstMetric(c.disks.reserve, gauge, float64(d.Reserve), d.Part)
	}
	c.collectJobs(to)
	c.collectTables(to)
}

// collectJobs counts the jobs that have not ended.
func (c *collector) collectJobs(to chan<- prometheus.Metric) {
	states := []kalam.JobStatus{kalam.JobPending, kalam.JobRunning, kalam.JobRetrying}
	count := map[kalam.JobStatus]int{}
	for _, j := range c.Stats.Catalog.ActiveJobs() {
		count[j.Status]++
	}
	for _, st := range states {
		to <- prometheus.MustNewConstMetric(c.jobs, gauge, float64(count[st]), string(st))
	}
}
