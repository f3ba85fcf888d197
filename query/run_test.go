package query_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/worker"
)

// chat returns n rows of a chat table.
func chat(n int) [][]kalam.Value {
	rows := make([][]kalam.Value, n)
	for i := range rows {
		rows[i] = row(
			big(int64(i)),
			txt(fmt.Sprintf("conv_%05d", i%50)),
			txt([]string{"user", "assistant", "system"}[i%3]),
			txt(
				fmt.Sprintf("message %d %s", i, strings.Repeat("lorem ipsum ", i%20)),
			),
			kalam.Integer(kalam.KindTimestamp, 1_700_000_000_000_000+int64(i)*1_000_000),
		)
	}
	return rows
}

const chatColumns = "id BIGINT, conv TEXT, role TEXT, content TEXT, created_at TIMESTAMP"

// chatSource is n rows, a part of them in a file.
func (e *engine) chatSource(t testing.TB, name string, n, flushed int) query.Source {
	t.Helper()
	schema := columnsOf(t, chatColumns)
	rows := chat(n)
	src := query.Source{Schema: schema}
	if flushed > 0 {
		f := e.file(t, name+".parquet", schema, rows[:flushed])
		if flushed > 10 {
			f.Dead = roaring.BitmapOf(3, 4, uint32(flushed-1))
		}
		src.Files = []query.File{f}
	}
	src.Batches = batchesOf(t, schema, rows[flushed:], 2048)
	return src
}

var stressQueries = []string{
	"SELECT * FROM t WHERE id = 50",
	"SELECT * FROM t ORDER BY created_at DESC LIMIT 20",
	"SELECT role, count(*), max(created_at), sum(length(content)) FROM t GROUP BY role",
	"SELECT conv, count(*), min(content) FROM t GROUP BY 1",
	"SELECT a.id, b.content FROM t a JOIN t b USING (id) WHERE a.role = 'user'",
	"SELECT count(*) FROM (SELECT DISTINCT content FROM t)",
	"SELECT * FROM t WHERE content LIKE '%abc%' OR conv IN ('conv_00001', 'conv_00002')",
	"SELECT t.id FROM t ASOF JOIN t u ON t.created_at >= u.created_at ORDER BY t.id LIMIT 100",
}

// digest returns the rows of a query in an order of its own.
func (e *engine) digest(ctx context.Context, q string, src query.Source) (string, error) {
	s, err := e.text(ctx, q, testArgs(), map[string]query.Source{"t": src})
	lines := strings.Split(s, "\n")
	sort.Strings(lines)
	return strings.Join(lines, "\n"), err
}

// TestScanStress runs queries of many shapes over changing sources from several
// goroutines, with a busy garbage collector, half of them cancelled somewhere.
// Every result must be right, and in the end nothing may be left.
func TestScanStress(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	e := newEngine(t)
	sizes := []struct{ n, flushed int }{{100, 0}, {2048, 1000}, {5000, 0}, {7000, 3000}}
	var sources []query.Source
	want := map[string]string{}
	for i, s := range sizes {
		sources = append(sources, e.chatSource(t, fmt.Sprintf("s%d", i), s.n, s.flushed))
		for _, q := range stressQueries {
			d, err := e.digest(t.Context(), q, sources[i])
			if err != nil {
				t.Fatal(err)
			}
			want[fmt.Sprint(i, q)] = d
		}
	}
	var done, cancelled atomic.Int64
	var wg sync.WaitGroup
	deadline := time.Now().Add(3 * time.Second)
	for w := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(uint64(w), 7))
			for time.Now().Before(deadline) {
				i, q := rnd.IntN(len(sources)), stressQueries[rnd.IntN(len(stressQueries))]
				src := sources[i]
				if rnd.IntN(3) == 0 { // As if the batches had just been built.
					src.Batches = sliced(src.Batches)
				}
				ctx, cancel := context.WithCancel(context.Background())
				if rnd.IntN(2) == 0 {
					ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rnd.IntN(4000))*time.Microsecond)
				}
				got, err := e.digest(ctx, q, src)
				cancel()
				releaseSliced(src.Batches, sources[i].Batches)
				switch {
				case err == nil && got != want[fmt.Sprint(i, q)]:
					t.Errorf("%d %s: wrong rows", i, q)
					return
				case err == nil:
					done.Add(1)
				case errors.Is(err, context.DeadlineExceeded) && kalam.CodeOf(err) == kalam.CodeTimeout:
					cancelled.Add(1)
				default:
					t.Errorf("%s: %v", q, err)
					return
				}
			}
		}()
	}
	wg.Wait()
	t.Logf("%d queries, %d cancelled, %+v", done.Load(), cancelled.Load(), e.Stats())
	if done.Load() == 0 || cancelled.Load() == 0 {
		t.Error("the test has not tested both")
	}
	e.forgetBatches()
	if c, s := e.Stats().Chunks, e.Stats().InFlight; c != 0 || s != 0 {
		t.Errorf("%d chunks and %d sources are left", c, s)
	}
}

// sliced returns other records with the same rows.
func sliced(batches []query.Batch) []query.Batch {
	out := make([]query.Batch, len(batches))
	for i, b := range batches {
		out[i] = query.Batch{Record: b.Record.NewSlice(0, b.Record.NumRows()), Live: b.Live}
	}
	return out
}

func releaseSliced(used, original []query.Batch) {
	for i := range used {
		if used[i].Record != original[i].Record {
			used[i].Record.Release()
		}
	}
}

// TestNothingIsLeft closes queries at every stage and checks that Close lets go
// of the sources.
func TestNothingIsLeft(t *testing.T) {
	e := newEngine(t)
	src := e.chatSource(t, "left", 60_000, 20_000)
	for _, q := range []string{
		"SELECT * FROM t", "SELECT * FROM t ORDER BY id", "SELECT count(*) FROM t a JOIN t b USING (id)",
		"SELECT id FROM t WHERE id < 0",
	} {
		for _, reads := range []int{0, 1, 2, 1000} {
			rows, err := e.run(t.Context(), q, testArgs(), map[string]query.Source{"t": src})
			if err != nil {
				t.Fatal(err)
			}
			for range reads {
				rec, err := rows.Next(t.Context())
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				rec.Release()
			}
			rows.Close()
			rows.Close()
			if n := e.Stats().InFlight; n != 0 {
				t.Errorf("%s after %d reads: %d sources are alive", q, reads, n)
			}
			if _, err := rows.Next(t.Context()); err == nil {
				t.Error("Next after Close gives rows")
			}
		}
	}
	e.forgetBatches()
	if n := e.Stats().Chunks; n != 0 {
		t.Errorf("%d chunks are alive", n)
	}
}

// TestCancel cancels statements that would run for hours. The next statement on
// the connection is not disturbed.
func TestCancel(t *testing.T) {
	e := newEngine(t)
	src := map[string]query.Source{"t": e.chatSource(t, "cancel", 5000, 0)}
	for _, q := range []string{
		"SELECT count(*) FROM range(100000000000) a(x) WHERE x % 7 = 3",
		"SELECT count(*) FROM t a, t b, t c WHERE a.id + b.id + c.id = -1",
		"SELECT sum(x) OVER (ORDER BY x) FROM range(1000000000) r(x)",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
		"SELECT * FROM t a, t b, t c",
		"SELECT max(md5(a.content || b.content)) FROM t a, t b",
	} {
		for _, timeout := range []bool{true, false} {
			ctx, cancel := context.WithCancel(t.Context())
			code, cause := kalam.CodeCanceled, context.Canceled
			if timeout {
				ctx, cancel = context.WithTimeout(t.Context(), 60*time.Millisecond)
				code, cause = kalam.CodeTimeout, context.DeadlineExceeded
			} else {
				stop := time.AfterFunc(60*time.Millisecond, cancel)
				defer stop.Stop()
			}
			start := time.Now()
			_, err := e.digestAll(ctx, q, src)
			took := time.Since(start)
			if !errors.Is(err, cause) || kalam.CodeOf(err) != code {
				t.Errorf("%s: %v", q, err)
			}
			if took > 5*time.Second {
				t.Errorf("%s: ended after %v", q, took)
			}
			cancel()
			if got := e.mustText(t, "SELECT count(*) AS n FROM t", src); got != "n BIGINT\n\"5000\"" {
				t.Errorf("after %s: %s", q, got)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.text(ctx, "SELECT 1", testArgs(), nil); kalam.CodeOf(err) != kalam.CodeCanceled {
		t.Errorf("cancelled before the start: %v", err)
	}
	if n := e.Stats().InFlight; n != 0 {
		t.Errorf("%d sources are alive", n)
	}
}

// TestPlanAfterCancel: a statement that was stopped anywhere runs right the next
// time. DuckDB keeps the plan of a statement without placeholders, and some
// operators cannot run again after they were stopped.
func TestPlanAfterCancel(t *testing.T) {
	e := newEngine(t)
	src := map[string]query.Source{"t": e.chatSource(t, "again", 5000, 0)}
	for _, q := range stressQueries {
		want := e.mustText(t, q, src)
		for i := range 40 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*100)*time.Microsecond)
			_, err := e.text(ctx, q, testArgs(), src)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", q, err)
			}
			cancel()
		}
		if strings.Contains(q, "ORDER BY") {
			if got := e.mustText(t, q, src); got != want {
				t.Errorf("%s: other rows after cancellations", q)
			}
		}
	}
}

// digestAll reads a result without keeping it.
func (e *engine) digestAll(ctx context.Context, q string, src map[string]query.Source) (int64, error) {
	rows, err := e.run(ctx, q, testArgs(), src)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var n int64
	err = drain(ctx, rows, func(rec arrow.RecordBatch) { n += rec.NumRows() })
	return n, err
}

// TestSlowReader: results that nobody reads keep no other query waiting.
func TestSlowReader(t *testing.T) {
	e := newEngine(t)
	src := map[string]query.Source{"t": e.chatSource(t, "slow", 60_000, 0)}
	var open []*query.Rows
	for range 20 {
		rows, err := e.run(t.Context(), "SELECT * FROM t", testArgs(), src)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, rows)
	}
	if got := e.mustText(t, "SELECT count(*) AS n FROM t", src); got != "n BIGINT\n\"60000\"" {
		t.Error(got)
	}
	// Processes compute what nobody reads.
	eventually.True(t, "no statement runs", func() bool { return e.Stats().Running == 0 })
	if s := e.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("running %d, waiting %d", s.Running, s.Waiting)
	}
	for _, rows := range open {
		var n int64
		if err := drain(t.Context(), rows, func(rec arrow.RecordBatch) { n += rec.NumRows() }); err != nil || n != 60_000 {
			t.Errorf("%d rows, %v", n, err)
		}
		rows.Close()
	}
}

// TestMemoryLimit: a query that needs too much fails, the next one works.
func TestMemoryLimit(t *testing.T) {
	e := newEngine(t, func(o *worker.Options) { o.MemoryLimit, o.TempDir = "64MB", "" })
	for _, q := range []string{
		"SELECT count(*) FROM (SELECT DISTINCT md5(x::TEXT) FROM range(20000000) r(x))",
		"SELECT list(x) FROM range(100000000) r(x)",
		"SELECT max(length(s)) FROM (SELECT string_agg(x::TEXT, ',') AS s FROM range(50000000) r(x))",
		"SELECT x FROM range(50000000) r(x) ORDER BY hash(x) LIMIT 1 OFFSET 40000000",
	} {
		_, err := e.digestAll(t.Context(), q, nil)
		if kalam.CodeOf(err) != kalam.CodeResourceExhausted {
			t.Errorf("%s: %v", q, err)
		}
		var ke *kalam.Error
		if asKalam(err, &ke) && strings.Contains(ke.Msg, "temp_directory") {
			t.Errorf("message %q", ke.Msg)
		}
	}
	if got := e.mustText(t, "SELECT 1 AS x", nil); got != "x INT\n1" {
		t.Error(got)
	}
}

// TestBadSources: sources that contradict themselves are errors.
func TestBadSources(t *testing.T) {
	e := newEngine(t)
	good := source(t, "id BIGINT, body TEXT", row(big(1), txt("a")), row(big(2), txt("b")))
	other := source(t, "id BIGINT, body BIGINT", row(big(1), big(2)))
	narrow := source(t, "id BIGINT", row(big(1)))
	for name, src := range map[string]query.Source{
		"live row beyond the batch": {
			Schema: good.Schema, Batches: []query.Batch{{Record: good.Batches[0].Record, Live: []uint32{0, 2}}},
		},
		"live rows out of order": {
			Schema: good.Schema, Batches: []query.Batch{{Record: good.Batches[0].Record, Live: []uint32{1, 1 << 31}}},
		},
		"other type":    {Schema: good.Schema, Batches: other.Batches},
		"fewer columns": {Schema: good.Schema, Batches: narrow.Batches},
		"more columns":  {Schema: narrow.Schema, Batches: good.Batches},
	} {
		if _, err := e.text(t.Context(), "SELECT * FROM t", testArgs(), map[string]query.Source{"t": src}); err == nil ||
			kalam.CodeOf(err) != kalam.CodeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := e.mustText(t, "SELECT count(*) AS n FROM t", map[string]query.Source{"t": good}); got != "n BIGINT\n\"2\"" {
		t.Error(got)
	}
	// Batches larger than a chunk are cut.
	schema := columnsOf(t, "id BIGINT")
	var rows [][]kalam.Value
	for i := range 5000 {
		rows = append(rows, row(big(int64(i))))
	}
	large := query.Source{Schema: schema, Batches: batchesOf(t, schema, rows, 5000)}
	got := e.mustText(t, "SELECT count(*) AS n, sum(id) AS s FROM t", map[string]query.Source{"t": large})
	if got != "n BIGINT, s BIGINT\n\"5000\" \"12497500\"" {
		t.Error(got)
	}
	large.Batches[0].Live = []uint32{1, 2047, 2048, 4095, 4096, 4999}
	got = e.mustText(t, "SELECT string_agg(id::TEXT, ',') AS s FROM t", map[string]query.Source{"t": large})
	if got != "s TEXT\n\"1,2047,2048,4095,4096,4999\"" {
		t.Error(got)
	}
}

// TestLastingBatchesAreKept keeps what DuckDB makes of a batch for the next query
// from its second use on, and nothing of one that says it is read once, wherever
// its record lies in memory (case D5).
func TestLastingBatchesAreKept(t *testing.T) {
	e := newEngine(t)
	src := source(t, "id BIGINT", row(big(1)), row(big(2)))
	lasting := src.Batches[0].ID
	for _, id := range []uint64{0, lasting} {
		src.Batches[0].ID = id
		for range 5 {
			e.mustText(t, "SELECT sum(id) AS n FROM t", map[string]query.Source{"t": src})
		}
		if n, want := e.Stats().Chunks, int64(min(id, 1)); n != want {
			t.Errorf("id %d: %d batches are kept, want %d", id, n, want)
		}
	}
}
