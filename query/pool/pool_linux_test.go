package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/pool"
	"github.com/kalamlake/kalam/query/worker"
)

func TestMain(m *testing.M) {
	if code, ok := worker.Main(); ok {
		os.Exit(code)
	}
	if dir := os.Getenv(insideVariable); dir != "" {
		if err := tryInside(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// engine is an Engine over a Pool, with a lake.
type engine struct {
	*query.Planner
	pool *pool.Pool
	lake string
	temp string
}

func newEngine(t testing.TB, change ...func(*pool.Options)) *engine {
	t.Helper()
	e := &engine{lake: t.TempDir(), temp: filepath.Join(t.TempDir(), "tmp")}
	o := pool.Options{LakeDirs: []string{e.lake}, TempDir: e.temp, Places: 3}
	for _, f := range change {
		f(&o)
	}
	var err error
	if e.pool, err = pool.Open(o); err != nil {
		t.Fatal(err)
	}
	if e.Planner, err = query.Open(query.Options{Executor: e.pool}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// numbers is a source of the rows 0 to n-1.
func numbers(t testing.TB, n int) query.Source {
	t.Helper()
	s := arrow.NewSchema([]arrow.Field{
		datatype.FieldOf("id", kalam.TypeOf(kalam.KindBigInt)), datatype.FieldOf("body", kalam.TypeOf(kalam.KindText)),
	}, nil)
	src := query.Source{Schema: s}
	for from := 0; from < n; from += 2048 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s)
		for i := from; i < min(from+2048, n); i++ {
			b.Field(0).(*array.Int64Builder).Append(int64(i))
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("body of row %d, long enough to be no short string", i))
		}
		rec := b.NewRecordBatch()
		b.Release()
		t.Cleanup(rec.Release)
		src.Batches = append(src.Batches, query.Batch{Record: rec, ID: lastID.Add(1)})
	}
	return src
}

var lastID atomic.Uint64

// ask runs a query of a user and returns the number of its rows, and the first cell of
// the last.
func (e *engine) ask(ctx context.Context, user kalam.UserID, sql string, src query.Source,
	params ...kalam.Value) (rows int64, cell string, err error) {
	p, err := e.Analyse(ctx, user, sql)
	if err != nil {
		return 0, "", err
	}
	sources := make([]query.Source, len(p.Tables()))
	for i := range sources {
		sources[i] = src
	}
	r, err := e.Query(ctx, p, sources, query.Args{Params: params, User: user, Role: kalam.RoleUser, Now: time.Now()})
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return rows, cell, nil
		}
		if err != nil {
			return rows, cell, err
		}
		if n := int(rec.NumRows()); n > 0 {
			rows += int64(n)
			cell = strings.Trim(string(datatype.AppendCell(nil, rec.Column(0), n-1)), `"`)
		}
		rec.Release()
	}
}

func text(s string) kalam.Value { return kalam.Text(s) }

// attacks are statements that one user of a server has stopped all others with.
func attacks() map[string]struct {
	sql    string
	params []kalam.Value
} {
	type attack = struct {
		sql    string
		params []kalam.Value
	}
	var aliases []string
	for i := range 100 {
		aliases = append(aliases, fmt.Sprintf("t t%d", i))
	}
	long := func(s string, n int) kalam.Value { return text(strings.Repeat(s, n)) }
	return map[string]attack{
		"levenshtein": {"SELECT levenshtein($1, $2)", []kalam.Value{long("ab", 100_000), long("ba", 100_000)}},
		"like":        {"SELECT $1 LIKE $2", []kalam.Value{long("a", 12_000), text(strings.Repeat("%a", 60) + "b")}},
		"join of 100": {"SELECT count(*) FROM " + strings.Join(aliases, ", "), nil},
		"regexp_replace": {"SELECT length(regexp_replace($1, 'a', $2, 'g'))",
			[]kalam.Value{long("a", 512<<10), long("b", 20<<10)}},
		"jaro_winkler": {"SELECT jaro_winkler_similarity($1, $2)",
			[]kalam.Value{long("ab", 200_000), long("ba", 200_000)}},
		"damerau_levenshtein": {"SELECT damerau_levenshtein($1, $2)", []kalam.Value{long("ab", 16<<10), long("ba", 16<<10)}},
		"range":               {"SELECT len(range(1000000000))", nil},
		"array_to_string":     {"SELECT length(array_to_string(range(100000), $1))", []kalam.Value{long("x", 100_000)}},
		"replace":             {"SELECT length(replace($1, 'a', $2))", []kalam.Value{long("a", 200_000), long("b", 50_000)}},
		"list_transform": {"SELECT length(to_json(list_transform(range(100000), lambda x: $1))::TEXT)",
			[]kalam.Value{long("x", 100_000)}},
		"cross join": {"SELECT count(*) FROM t a, t b, t c WHERE a.id + b.id + c.id = -1", nil},
		"sort":       {"SELECT x FROM range(2000000000) r(x) ORDER BY hash(x) LIMIT 1 OFFSET 1000000000", nil},
		"fatal":      {`SELECT error('{"exception_type":"FATAL","exception_message":"x"}')`, nil},
	}
}

// TestNobodyWaits (cases N1 and N2): whatever one user sends, four times at once, it ends soon after its
// time or for its memory, and another user's small statements go on.
func TestNobodyWaits(t *testing.T) {
	const limit = 1 << 30
	e := newEngine(t, func(o *pool.Options) { o.MemoryLimit = "1GiB" })
	src := numbers(t, 4096)
	small := func() time.Duration {
		start := time.Now()
		n, cell, err := e.ask(t.Context(), "alice", "SELECT count(*) FROM t WHERE id >= $1", src, kalam.BigInt(96))
		if err != nil || n != 1 || cell != "4000" {
			t.Errorf("alice gets %d rows, %s, %v", n, cell, err)
		}
		return time.Since(start)
	}
	for range 20 {
		small()
	}
	var idle, during []time.Duration
	for range 50 {
		idle = append(idle, small())
	}
	for name, a := range attacks() {
		const allowed = 1500 * time.Millisecond
		var attackers sync.WaitGroup
		var most atomic.Int64
		for range 4 {
			attackers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), allowed)
				defer cancel()
				start := time.Now()
				_, _, err := e.ask(ctx, "mallory", a.sql, src, a.params...)
				took := time.Since(start)
				if took > allowed+3*time.Second { // One second, on a machine that does nothing else.
					t.Errorf("%s: ended after %v", name, took)
				}
				switch code := kalam.CodeOf(err); {
				case err == nil, code == kalam.CodeTimeout, code == kalam.CodeResourceExhausted, code == kalam.CodeInvalidSQL,
					code == kalam.CodeUnsupported, code == kalam.CodeTooLarge, code == kalam.CodeConstraint:
				case name == "fatal":
				default:
					t.Errorf("%s: %v (%v)", name, err, kalam.CodeOf(err))
				}
			})
		}
		done := make(chan struct{})
		go func() { attackers.Wait(); close(done) }()
		for waiting := true; waiting; {
			took := small()
			during = append(during, took)
			if took > allowed {
				t.Errorf("%s: alice waits %v", name, took)
			}
			most.Store(max(most.Load(), e.Stats().Memory))
			select {
			case <-done:
				waiting = false
			case <-time.After(2 * time.Millisecond):
			}
		}
		if n := most.Load(); n > limit+256<<20 {
			t.Errorf("%s: the workers hold %d MiB", name, n>>20)
		}
	}
	slices.Sort(idle)
	slices.Sort(during)
	at := func(d []time.Duration, p int) time.Duration { return d[min(len(d)*p/100, len(d)-1)] }
	t.Logf("alice idle p50 %v, p99 %v; under attack p50 %v, p99 %v, most %v (%d statements)", at(idle, 50), at(idle, 99),
		at(during, 50), at(during, 99), during[len(during)-1], len(during))
	t.Logf("%+v", e.Stats())
}

// TestEnginesCrashAlone kills random workers under load, the one that writes files among
// them: every answer is right or a named error, and all goes on.
func TestEnginesCrashAlone(t *testing.T) {
	e := newEngine(t)
	src := numbers(t, 10_000)
	kills := 150
	if testing.Short() {
		kills = 20
	}
	var stop atomic.Bool
	var right, failed, files atomic.Int64
	answered := make(chan struct{}) // Told after each answer, so that kills follow the load.
	var load sync.WaitGroup
	for i := range 4 {
		load.Go(func() {
			user := kalam.UserID(fmt.Sprint("user", i))
			for k := 0; !stop.Load(); k++ {
				n, cell, err := e.ask(t.Context(), user, fmt.Sprintf("SELECT sum(id), %d FROM t WHERE id >= $1", k%50), src,
					kalam.BigInt(5000))
				switch {
				case err == nil && n == 1 && cell == "37497500":
					right.Add(1)
				case kalam.CodeOf(err) == kalam.CodeUnavailable:
					failed.Add(1)
				default:
					t.Errorf("%d rows, %s, %v", n, cell, err)
				}
				answered <- struct{}{}
			}
		})
	}
	load.Go(func() {
		for k := 0; !stop.Load(); k++ {
			path := filepath.Join(e.lake, fmt.Sprintf("%d.parquet", k))
			n, err := e.CopyParquet(t.Context(), query.CopySpec{Path: path, Schema: src.Schema, Batches: each(src.Batches)})
			switch {
			case err == nil && n == 10_000:
				files.Add(1)
			case kalam.CodeOf(err) == kalam.CodeUnavailable:
				failed.Add(1)
			default:
				t.Errorf("%d rows written, %v", n, err)
			}
			answered <- struct{}{}
		}
	})
	rnd := rand.New(rand.NewPCG(1, 2))
	for killed := 0; killed < kills; {
		for range 1 + rnd.IntN(8) { // The other four are anywhere in their statements.
			<-answered
		}
		pids := e.pool.PIDs()
		if pid := 0; len(pids) > 0 {
			pid = pids[rnd.IntN(len(pids))]
			sig := syscall.SIGKILL
			if rnd.IntN(3) == 0 {
				sig = syscall.SIGSEGV
			}
			if syscall.Kill(pid, sig) == nil {
				killed++
			}
		}
	}
	stop.Store(true)
	go func() {
		load.Wait()
		close(answered)
	}()
	for range answered { // Until the last of the load has ended.
	}
	t.Logf("%d right, %d failed by name, %d files, %+v", right.Load(), failed.Load(), files.Load(), e.Stats())
	if right.Load() == 0 || files.Load() == 0 {
		t.Error("nothing was computed")
	}
	if _, cell, err := e.ask(t.Context(), "alice", "SELECT count(*) FROM t", src); err != nil || cell != "10000" {
		t.Errorf("afterwards: %s, %v", cell, err)
	}
}

func each(batches []query.Batch) func(func(arrow.RecordBatch, error) bool) {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for _, b := range batches {
			b.Record.Retain()
			if !yield(b.Record, nil) {
				return
			}
		}
	}
}

// TestCopyCrashes kills the worker that writes a file: that fails by name, the next one
// is written.
func TestCopyCrashes(t *testing.T) {
	e := newEngine(t)
	src := numbers(t, 2048)
	path := filepath.Join(e.lake, "x.parquet")
	write := func(f func()) error {
		n := 0
		_, err := e.CopyParquet(t.Context(), query.CopySpec{Path: path, Schema: src.Schema,
			Batches: func(yield func(arrow.RecordBatch, error) bool) {
				for range 200 {
					src.Batches[0].Record.Retain()
					if n++; n == 100 {
						f()
					}
					if !yield(src.Batches[0].Record, nil) {
						return
					}
				}
			}})
		return err
	}
	if err := write(func() {}); err != nil {
		t.Fatal(err)
	}
	pid := e.pool.CopyPID()
	err := write(func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	if kalam.CodeOf(err) != kalam.CodeUnavailable {
		t.Errorf("killed: %v", err)
	}
	if err := write(func() {}); err != nil {
		t.Error(err)
	}
}

// TestCloseEndsAll: a pool is closed at once, whatever runs in it.
func TestCloseEndsAll(t *testing.T) {
	e := newEngine(t)
	src := numbers(t, 2048)
	var running sync.WaitGroup
	for _, name := range []string{"levenshtein", "cross join", "sort"} {
		a := attacks()[name]
		running.Go(func() {
			if _, _, err := e.ask(t.Context(), kalam.UserID(name), a.sql, src,
				a.params...); kalam.CodeOf(err) != kalam.CodeShuttingDown {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	eventually.True(t, "three statements are slow", func() bool { return e.Stats().Slow >= 3 })
	start := time.Now()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	running.Wait()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("closed after %v", took)
	}
	left, err := os.ReadDir(e.temp)
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestTurnsOfLargeStatements: large statements of one user stand still while others of
// him run, none of another waits for them, and all are right in the end.
func TestTurnsOfLargeStatements(t *testing.T) {
	e := newEngine(t, func(o *pool.Options) { o.Slice = 5 * time.Millisecond })
	src := numbers(t, 100)
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			user := kalam.UserID(fmt.Sprint("user", i%2))
			_, cell, err := e.ask(t.Context(), user, "SELECT count(*) FROM range(3000000) r(x) WHERE hash(x) >= 0", src)
			if err != nil || cell != "3000000" {
				t.Errorf("%s: %s, %v", user, cell, err)
			}
		})
	}
	for range 20 {
		if _, cell, err := e.ask(t.Context(), "alice", "SELECT count(*) FROM t", src); err != nil || cell != "100" {
			t.Errorf("%s, %v", cell, err)
		}
	}
	running.Wait()
	if s := e.Stats(); s.Slow != 0 || s.Waiting != 0 || s.Busy != 0 {
		t.Errorf("left: %+v", s)
	}
}

// TestSlowReaders (case N3): results that nobody reads hold no worker, also when they are large,
// and are whole when they are read at last.
func TestSlowReaders(t *testing.T) {
	e := newEngine(t)
	src := numbers(t, 50_000)
	p, err := e.Analyse(t.Context(), "alice", "SELECT * FROM t")
	if err != nil {
		t.Fatal(err)
	}
	var open []*query.Rows
	for range 30 {
		r, err := e.Query(t.Context(), p, []query.Source{src}, query.Args{User: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		open = append(open, r)
	}
	eventually.True(t, "no worker waits for a reader", func() bool { return e.Stats().Busy == 0 })
	if n := e.Stats().Spooled; n < 10<<20 {
		t.Errorf("%d bytes wait for readers", n)
	}
	for _, r := range open {
		var sum, rows int64
		for {
			rec, err := r.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range rec.Column(0).(*array.Int64).Int64Values() {
				sum += id
			}
			rows += rec.NumRows()
			rec.Release()
		}
		if rows != 50_000 || sum != 50_000*49_999/2 {
			t.Errorf("%d rows with the sum %d", rows, sum)
		}
	}
	if n := e.Stats().Spooled; n != 0 {
		t.Errorf("%d bytes wait for readers that are done", n)
	}
}

// TestForgottenMeanwhile forgets batches while statements that read them are sent.
func TestForgottenMeanwhile(t *testing.T) {
	e := newEngine(t)
	var stop atomic.Bool
	var latest atomic.Pointer[query.Source]
	first := numbers(t, 3000)
	latest.Store(&first)
	read := make(chan struct{}) // Told after each statement.
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			for !stop.Load() {
				_, cell, err := e.ask(t.Context(), kalam.UserID(fmt.Sprint("user", i)), "SELECT count(*) FROM t", *latest.Load())
				if err != nil || cell != "3000" {
					t.Errorf("%s, %v", cell, err)
				}
				read <- struct{}{}
			}
		})
	}
	for range 300 {
		old := *latest.Load()
		renamed := query.Source{Schema: old.Schema}
		for _, b := range old.Batches {
			renamed.Batches = append(renamed.Batches, query.Batch{Record: b.Record, ID: lastID.Add(1)})
		}
		latest.Store(&renamed)
		for _, b := range old.Batches {
			e.Forget(b.ID)
		}
		<-read // The other two are anywhere in theirs.
	}
	stop.Store(true)
	go func() {
		readers.Wait()
		close(read)
	}()
	for range read { // Until the last reader has ended.
	}
	for _, b := range latest.Load().Batches {
		e.Forget(b.ID)
	}
	if s := e.Stats(); s.Chunks != 0 || s.Shared != 0 {
		t.Errorf("forgotten batches are kept: %+v", s)
	}
}
