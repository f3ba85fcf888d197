package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/lake/s3/s3test"
	"github.com/kalamlake/kalam/query/worker"
	"github.com/kalamlake/kalam/session"
)

func TestMain(m *testing.M) {
	if code, ok := worker.Main(); ok {
		os.Exit(code)
	}
	goleak.VerifyTestMain(s3test.Tests{M: m})
}

// server is an engine over a data directory of the test, as kalamd runs it.
type server struct {
	t      testing.TB
	config config.Config
	opts   engine.Options
	*engine.Engine
	cancel context.CancelFunc
	done   chan error
	merged int // Segments that compact made fewer.
	ids    atomic.Int64
}

// root is the principal of tests for administration.
var root = kalam.Principal{User: "root", Role: kalam.RoleSystem}

// userOf returns the principal of a plain user.
func userOf(name string) kalam.Principal {
	return kalam.Principal{User: kalam.UserID(name), Role: kalam.RoleUser}
}

// newServer starts an engine in a temporary directory and stops it at the end.
func newServer(t testing.TB, change ...func(*config.Config)) *server {
	t.Helper()
	cfg := config.Default()
	cfg.Storage.DataPath = t.TempDir()
	cfg.Auth.BcryptCost = 4
	cfg.Query.Threads = 2
	for _, f := range change {
		f(&cfg)
	}
	s := &server{t: t, config: cfg}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	e, err := engine.Open(context.Background(), s.config, s.opts)
	if err != nil {
		s.t.Fatalf("open engine: %v", err)
	}
	s.Engine = e
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan error, 1)
	go func() { s.done <- e.Run(ctx) }()
}

// stop ends the engine without flushing.
func (s *server) stop() {
	s.t.Helper()
	if s.Engine == nil {
		return
	}
	s.cancel()
	if err := <-s.done; err != nil {
		s.t.Errorf("run: %v", err)
	}
	if err := s.Engine.Close(); err != nil {
		s.t.Errorf("close: %v", err)
	}
	s.Engine = nil
}

func (s *server) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// result is the result of one statement as text.
type result struct {
	columns []string
	types   []string
	rows    [][]string // JSON cells.
	message string
	count   int64
	jobs    []kalam.JobID
}

// collector keeps results.
type collector struct {
	results []result
}

func (c *collector) StartRows(h session.RowsHeader) error {
	r := result{rows: [][]string{}}
	for _, f := range h.Fields {
		r.columns = append(r.columns, f.Name)
		wire, err := f.Type.MarshalJSON()
		if err != nil {
			return err
		}
		r.types = append(r.types, strings.Trim(string(wire), `"`)+flagText(f.Flags))
	}
	c.results = append(c.results, r)
	return nil
}

func flagText(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return "(" + strings.Join(flags, ",") + ")"
}

func (c *collector) last() *result { return &c.results[len(c.results)-1] }

func (c *collector) Batch(b arrow.RecordBatch) error {
	for r := range int(b.NumRows()) {
		row := make([]string, b.NumCols())
		for i := range row {
			row[i] = string(datatype.AppendCell(nil, b.Column(i), r))
		}
		c.last().rows = append(c.last().rows, row)
	}
	return nil
}

func (c *collector) Values(vals []kalam.Value) error {
	row := make([]string, len(vals))
	for i, v := range vals {
		row[i] = string(datatype.AppendValue(nil, v))
	}
	c.last().rows = append(c.last().rows, row)
	return nil
}

func (c *collector) EndRows(t session.RowsTrailer) error {
	c.last().count, c.last().message = t.RowCount, t.Message
	if int64(len(c.last().rows)) != t.RowCount {
		return fmt.Errorf("row_count is %d for %d rows", t.RowCount, len(c.last().rows))
	}
	return nil
}

func (c *collector) Done(d session.Done) error {
	c.results = append(c.results, result{message: d.Message, count: d.RowCount, jobs: d.JobIDs})
	return nil
}

// try runs a request and returns its results and error.
func (s *server) try(p kalam.Principal, sql string, params ...kalam.Value) ([]result, error) {
	return s.tryCtx(context.Background(), p, sql, params...)
}

func (s *server) tryCtx(ctx context.Context, p kalam.Principal, sql string, params ...kalam.Value) ([]result, error) {
	var c collector
	err := s.Execute(ctx, p, session.Request{SQL: sql, Params: params}, &c)
	return c.results, err
}

// must runs a request that has to succeed and returns its last result.
func (s *server) must(p kalam.Principal, sql string, params ...kalam.Value) result {
	s.t.Helper()
	res, err := s.try(p, sql, params...)
	if err != nil {
		s.t.Fatalf("as %s: %.200s\n%v", p.User, sql, explained(err))
	}
	if len(res) == 0 {
		s.t.Fatalf("no result of %.200s", sql)
	}
	return res[len(res)-1]
}

// explained adds what an error hides from users.
func explained(err error) string {
	var ke *kalam.Error
	if errors.As(err, &ke) {
		return fmt.Sprintf("%v (code %d, position %d)", err, ke.Code, ke.Position)
	}
	return err.Error()
}

// messageOf returns what a user is told.
func messageOf(err error) string {
	var ke *kalam.Error
	if errors.As(err, &ke) {
		return ke.Msg
	}
	return "internal error: " + err.Error()
}

// flush flushes every table and waits for the jobs.
func (s *server) flush() {
	s.t.Helper()
	r := s.must(root, "STORAGE FLUSH ALL")
	for _, id := range r.jobs {
		if j := s.await(id); j.Status != kalam.JobCompleted && j.Status != kalam.JobSkipped {
			s.t.Fatalf("job %s is %s: %s", id, j.Status, j.Error)
		}
	}
}

// await waits for the end of a job.
func (s *server) await(id kalam.JobID) kalam.Job {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		j, ok, err := s.Catalog().Job(context.Background(), id)
		if err != nil || !ok {
			s.t.Fatalf("job %s: found %v, %v", id, ok, err)
		}
		if j.Status.Done() {
			return j
		}
		if time.Now().After(end) {
			s.t.Fatalf("job %s is still %s after a minute", id, j.Status)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// table renders the rows of a result, one line each.
func (r result) table() string {
	var b strings.Builder
	b.WriteString(strings.Join(r.columns, " | ") + "\n")
	for _, row := range r.rows {
		for i, cell := range row {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(plainCell(cell))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// plainCell shows a JSON cell; text without anything special loses its quotes.
func plainCell(cell string) string {
	var s string
	if json.Unmarshal([]byte(cell), &s) == nil && s != "" && cell == `"`+s+`"` && !strings.ContainsAny(s, "|") &&
		s == strings.TrimSpace(s) && s != "null" {
		return s
	}
	return cell
}

// single returns the one cell of a result as JSON.
func (s *server) single(p kalam.Principal, sql string, params ...kalam.Value) string {
	s.t.Helper()
	r := s.must(p, sql, params...)
	if len(r.rows) != 1 || len(r.rows[0]) != 1 {
		s.t.Fatalf("%s gives %d rows", sql, len(r.rows))
	}
	return r.rows[0][0]
}
