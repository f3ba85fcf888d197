package worker

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
)

// rowsOf runs a text and returns the number of its rows.
func rowsOf(t *testing.T, e *Executor, sql string) (n int64) {
	t.Helper()
	res, err := e.Run(t.Context(), &query.Statement{ID: 7, SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	for {
		rec, err := res.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n += rec.NumRows()
		rec.Release()
	}
}

// TestDeadInstance: when DuckDB gives up on an instance, queries go on in a new
// one, as do the parsers and COPY.
func TestDeadInstance(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(Options{LakeDirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	write := func(name string) {
		t.Helper()
		schema := arrow.NewSchema([]arrow.Field{datatype.FieldOf("x", kalam.TypeOf(kalam.KindBigInt))}, nil)
		text := "COPY (SELECT 1::BIGINT AS x) TO " + sqltext.QuoteString(filepath.Join(dir, name)) + " (FORMAT parquet)"
		n, err := e.Copy(t.Context(), &query.Copy{SQL: text, Input: query.Input{Schema: &query.Schema{Arrow: schema, ID: 1}}})
		if err != nil || n != 1 {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
	const sql = "SELECT * FROM range(5000)"
	open, err := e.Run(t.Context(), &query.Statement{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	write("before.parquet")
	e.pool.mu.Lock()
	e.pool.killLocked(e.pool.gen)
	e.pool.mu.Unlock()
	if c := <-e.copying; c != nil {
		c.close()
	}
	e.copying <- nil
	if n := rowsOf(t, e, sql); n != 5000 {
		t.Errorf("%d rows in the new instance", n)
	}
	open.Close()
	for range 3 {
		if n := rowsOf(t, e, sql); n != 5000 {
			t.Errorf("%d rows after the old instance was closed", n)
		}
	}
	write("after.parquet")
	if _, err := e.Parse(t.Context(), "alice", "SELECT 1"); err != nil {
		t.Error(err)
	}
}
