package metrics

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/dialect/ast"
)

var _ buffer.Observer = (*Observed)(nil)

// Observed measures what happens. Its methods are safe for concurrent use, take some tens of nanoseconds and never
// block.
type Observed struct {
	commits    prometheus.Histogram
	syncs      prometheus.Histogram
	requests   prometheus.Histogram // Of a batch.
	rows       prometheus.Histogram // Likewise.
	lag        prometheus.Histogram
	statements *prometheus.HistogramVec
	errors     *prometheus.CounterVec
	rejected   *prometheus.CounterVec

	// found are the histograms of statements that were met: to look one up by its labels takes longer than the rest.
	found [kinds][roles]atomic.Pointer[prometheus.Observer]
}

// Limits of the histograms, in seconds.
var (
	writeTimes     = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	statementTimes = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	batchSizes     = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384}
	lagTimes       = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

// NewObserved returns an Observed that has seen nothing.
func NewObserved() *Observed {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "kalam", Name: name, Help: help, Buckets: buckets})
	}
	return &Observed{
		commits: histogram("buffer_commit_seconds",
			"Time of a write from its rows being known until they are durable and visible.", writeTimes),
		syncs: histogram("buffer_sync_seconds",
			"Time to write a batch of commits to the log and sync it to disk.", writeTimes),
		requests: histogram("buffer_batch_requests", "Writes that share one sync.", batchSizes),
		rows:     histogram("buffer_batch_rows", "Row versions that share one sync.", batchSizes),
		lag: histogram("live_lag_seconds",
			"Time from the commit of a change until the socket of its live query takes it, to the millisecond.", lagTimes),
		statements: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "kalam", Name: "statement_seconds",
			Help:    "Time of a statement, with the encoding of its rows, by its kind and the role in force.",
			Buckets: statementTimes}, []string{"kind", "role"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "kalam", Name: "statement_errors_total",
			Help: "Statements that failed, by the code of the error."}, []string{"code"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "kalam", Name: "rejected_total",
			Help: "Requests, connections and statements that were refused with 429 or 503, by why."}, []string{"status", "reason"}),
	}
}

// collectors returns what a registry takes.
func (o *Observed) collectors() []prometheus.Collector {
	return []prometheus.Collector{o.commits, o.syncs, o.requests, o.rows, o.lag, o.statements, o.errors, o.rejected}
}

// Committed implements buffer.Observer.
func (o *Observed) Committed(took time.Duration) { o.commits.Observe(took.Seconds()) }

// Synced implements buffer.Observer. A batch without rows is one of maintenance, of which only the time counts.
func (o *Observed) Synced(requests, rows int, took time.Duration) {
	o.syncs.Observe(took.Seconds())
	if rows > 0 {
		o.requests.Observe(float64(requests))
		o.rows.Observe(float64(rows))
	}
}

// Delivered tells that a live query got events some time after their commit.
func (o *Observed) Delivered(lag time.Duration) { o.lag.Observe(lag.Seconds()) }

// Statement tells that a statement of a principal with a role has ended, err is why it failed.
func (o *Observed) Statement(st ast.Statement, role kalam.Role, took time.Duration, err error) {
	k, r := kindOf(st.Verb()), min(role, roles-1)
	h := o.found[k][r].Load()
	if h == nil {
		made := o.statements.WithLabelValues(kindNames[k], role.String())
		h = &made
		o.found[k][r].Store(h)
	}
	(*h).Observe(took.Seconds())
	if err != nil {
		o.errors.WithLabelValues(kalam.CodeOf(err).String()).Inc()
	}
}

// Rejected tells that a request was refused with an HTTP status, 429 or 503, for a reason, which is one of a fixed
// set of words; it is told in lower case.
func (o *Observed) Rejected(status int, reason string) {
	o.rejected.WithLabelValues(strconv.Itoa(status), strings.ToLower(reason)).Inc()
}

// kind is a class of statements, as the label tells it.
type kind uint8

const (
	kindSelect kind = iota
	kindInsert
	kindUpdate
	kindDelete
	kindTransaction
	kindSchema
	kindShow
	kindMaintenance
	kindOther
	kinds
)

// roles is the number of roles.
const roles = kalam.RoleSystem + 1

var kindNames = [kinds]string{"select", "insert", "update", "delete", "transaction", "schema", "show", "maintenance",
	"other"}

// kindOf returns the class of a statement by its verb.
func kindOf(verb string) kind {
	switch verb {
	case "SELECT":
		return kindSelect
	case "INSERT":
		return kindInsert
	case "UPDATE":
		return kindUpdate
	case "DELETE":
		return kindDelete
	case "BEGIN", "COMMIT", "ROLLBACK":
		return kindTransaction
	}
	switch first, _, _ := strings.Cut(verb, " "); first {
	case "CREATE", "ALTER", "DROP", "TRUNCATE":
		return kindSchema
	case "SHOW", "DESCRIBE", "EXPLAIN":
		return kindShow
	case "STORAGE", "BACKUP", "EXPORT", "KILL", "CLEAR":
		return kindMaintenance
	}
	return kindOther
}
