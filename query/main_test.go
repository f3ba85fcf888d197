package query_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/pool"
	"github.com/kalamlake/kalam/query/worker"
)

// isolation is where the tests run DuckDB.
var isolation string

// TestMain runs every test twice: with DuckDB in this process, and in workers.
func TestMain(m *testing.M) {
	if code, ok := worker.Main(); ok {
		os.Exit(code)
	}
	goleak.VerifyTestMain(everyIsolation{m})
}

// everyIsolation runs the tests with each isolation of KALAM_TEST_ISOLATION, which is
// both of them.
type everyIsolation struct{ m *testing.M }

// Run implements goleak.TestingM.
func (e everyIsolation) Run() int {
	list := os.Getenv("KALAM_TEST_ISOLATION")
	if list == "" {
		list = "none"
		if pool.Available {
			list = "none process"
		}
	}
	code := 0
	for _, isolation = range strings.Fields(list) {
		fmt.Println("isolation:", isolation)
		code = max(code, e.m.Run())
	}
	return code
}

// testUser is on whose account the tests analyse texts.
const testUser kalam.UserID = "alice"

var testNow = time.Date(2025, 3, 4, 5, 6, 7, 891_234_000, time.UTC)

// testArgs are the arguments of a query by alice.
func testArgs(params ...kalam.Value) query.Args {
	return query.Args{Params: params, User: testUser, Role: kalam.RoleUser, Now: testNow}
}

// engine is an Engine with a directory for files.
type engine struct {
	*query.Planner
	dir string
}

func newEngine(t testing.TB, change ...func(*worker.Options)) *engine {
	t.Helper()
	dir := t.TempDir()
	var last atomic.Int64
	o := worker.Options{LakeDirs: []string{dir}, TempDir: t.TempDir(), NextIDs: func(out []int64) error {
		for i := range out {
			out[i] = last.Add(1)
		}
		return nil
	}}
	for _, f := range change {
		f(&o)
	}
	e := openEngine(t, o)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &engine{e, dir}
}

// openEngine opens an Engine, which the caller closes.
func openEngine(t testing.TB, o worker.Options) *query.Planner {
	t.Helper()
	x, err := openExecutor(o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := query.Open(query.Options{Executor: x})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func openExecutor(o worker.Options) (query.Executor, error) {
	if isolation != "process" {
		return worker.Open(o)
	}
	return pool.Open(pool.Options{
		MemoryLimit: o.MemoryLimit, Threads: o.Threads, LakeDirs: o.LakeDirs, TempDir: o.TempDir, PostgreSQL: o.PostgreSQL,
		NextIDs: o.NextIDs,
	})
}

// forgetBatches forgets every batch that tests have made.
func (e *engine) forgetBatches() {
	for id := range lastBatch.Load() {
		e.Forget(id + 1)
	}
}

// column makes a field from "name TYPE".
func columnsOf(t testing.TB, defs string) *arrow.Schema {
	t.Helper()
	var fields []arrow.Field
	for _, def := range strings.Split(defs, ",") {
		name, typ, _ := strings.Cut(strings.TrimSpace(def), " ")
		fields = append(fields, datatype.FieldOf(name, typeNamed(t, typ)))
	}
	return arrow.NewSchema(fields, nil)
}

func typeNamed(t testing.TB, name string) kalam.DataType {
	t.Helper()
	for _, k := range kalam.Kinds() {
		if k.String() == name {
			return kalam.TypeOf(k)
		}
	}
	var p, s uint8
	if n, _ := fmt.Sscanf(name, "DECIMAL(%d;%d)", &p, &s); n == 2 {
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: p, Scale: s}
	}
	t.Fatalf("unknown type %q", name)
	return kalam.DataType{}
}

// lastBatch numbers the batches of the tests.
var lastBatch atomic.Uint64

// batchesOf builds batches of at most size rows. They are released at the end
// of the test.
func batchesOf(t testing.TB, schema *arrow.Schema, rows [][]kalam.Value, size int) []query.Batch {
	t.Helper()
	b, err := datatype.NewRowsBuilder(memory.DefaultAllocator, schema)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	var out []query.Batch
	flush := func() {
		if b.Len() > 0 {
			rec := b.NewBatch()
			t.Cleanup(rec.Release)
			out = append(out, query.Batch{Record: rec, ID: lastBatch.Add(1)})
		}
	}
	for _, r := range rows {
		if err := b.AppendValues(r); err != nil {
			t.Fatal(err)
		}
		if b.Len() == size {
			flush()
		}
	}
	flush()
	return out
}

// each yields the records of batches, all rows of which are live, and keeps them.
func each(batches []query.Batch) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for _, b := range batches {
			b.Record.Retain()
			if !yield(b.Record, nil) {
				return
			}
		}
	}
}

// source is a source of batches.
func source(t testing.TB, defs string, rows ...[]kalam.Value) query.Source {
	t.Helper()
	s := columnsOf(t, defs)
	return query.Source{Schema: s, Batches: batchesOf(t, s, rows, 2048)}
}

// file writes rows to a Parquet file and returns it.
func (e *engine) file(t testing.TB, name string, schema *arrow.Schema, rows [][]kalam.Value) query.File {
	t.Helper()
	path := filepath.Join(e.dir, name)
	n, err := e.CopyParquet(context.Background(), query.CopySpec{
		Path: path, Schema: schema, Batches: each(batchesOf(t, schema, rows, 2048)), NegativeZero: true, RowGroup: 2048,
	})
	if err != nil {
		t.Fatal(err)
	}
	if int(n) != len(rows) {
		t.Fatalf("wrote %d rows of %d", n, len(rows))
	}
	return query.File{Path: path}
}

// run runs sql; the sources are those of its tables in order, or by name.
func (e *engine) run(
	ctx context.Context,
	sql string,
	args query.Args,
	sources map[string]query.Source,
) (*query.Rows, error) {
	p, err := e.Analyse(ctx, testUser, sql)
	if err != nil {
		return nil, err
	}
	var list []query.Source
	for _, ref := range p.Tables() {
		src, ok := sources[strings.Join(ref.Parts, ".")]
		if !ok {
			return nil, kalam.Errorf(kalam.CodeTableNotFound, "relation '%s' does not exist", strings.Join(ref.Parts, ".")).
				At(ref.Position)
		}
		list = append(list, src)
	}
	return e.Query(ctx, p, list, args)
}

// text returns the result as lines of JSON cells, the first with the columns.
func (e *engine) text(
	ctx context.Context,
	sql string,
	args query.Args,
	sources map[string]query.Source,
) (string, error) {
	rows, err := e.run(ctx, sql, args, sources)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var b strings.Builder
	for i, f := range rows.Schema().Fields() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.Name + " " + datatype.TypeOfArrow(f).String())
	}
	err = drain(ctx, rows, func(rec arrow.RecordBatch) {
		for r := 0; r < int(rec.NumRows()); r++ {
			b.WriteByte('\n')
			for i, col := range rec.Columns() {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.Write(datatype.AppendCell(nil, col, r))
			}
		}
	})
	return b.String(), err
}

// drain reads every batch.
func drain(ctx context.Context, rows *query.Rows, f func(arrow.RecordBatch)) error {
	for {
		rec, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f(rec)
		rec.Release()
	}
}

// mustText is text for queries that must succeed.
func (e *engine) mustText(t testing.TB, sql string, sources map[string]query.Source, params ...kalam.Value) string {
	t.Helper()
	s, err := e.text(context.Background(), sql, testArgs(params...), sources)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

func big(n int64) kalam.Value            { return kalam.BigInt(n) }
func txt(s string) kalam.Value           { return kalam.Text(s) }
func row(v ...kalam.Value) []kalam.Value { return v }

func asKalam(err error, ke **kalam.Error) bool { return errors.As(err, ke) }

func jsonString(s string) string { return string(datatype.AppendJSONString(nil, s)) }
