package query_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/usage"
	"github.com/kalamlake/kalam/query"
)

// TestCopyFeed: what yields the batches of a COPY fails,
// stalls until the statement is cancelled, and is not asked for more than is
// written. No chunk and no goroutine is left (TestMain checks the latter).
func TestCopyFeed(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, body TEXT")
	batch := batchesOf(t, schema, [][]kalam.Value{row(big(1), txt("x")), row(big(2), txt("y"))}, 2048)[0].Record
	path := filepath.Join(e.dir, "fed.parquet")
	failure := kalam.Errorf(kalam.CodeCorrupt, "row 3 is damaged")

	yielded := 0
	spec := query.CopySpec{Path: path, Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		for range 1000 {
			batch.Retain()
			yielded++
			if !yield(batch, nil) {
				return
			}
		}
		yield(nil, failure)
	}}
	if _, err := e.CopyParquet(t.Context(), spec); !errors.Is(err, failure) || kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("failed feed: %v, want %v", err, failure)
	}
	if yielded != 1000 {
		t.Errorf("%d batches were asked for, want 1000", yielded)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	spec.Batches = func(yield func(arrow.RecordBatch, error) bool) {
		batch.Retain()
		if yield(batch, nil) {
			<-ctx.Done()
		}
	}
	if _, err := e.CopyParquet(ctx, spec); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stalled feed: %v, want the deadline", err)
	}

	wrong := batchesOf(t, columnsOf(t, "id TEXT, body TEXT"), [][]kalam.Value{row(txt("1"), txt("x"))}, 2048)[0].Record
	yielded = 0
	spec.Batches = func(yield func(arrow.RecordBatch, error) bool) {
		for range 1000 {
			wrong.Retain()
			yielded++
			if !yield(wrong, nil) {
				return
			}
		}
	}
	if _, err := e.CopyParquet(t.Context(), spec); err == nil || yielded != 1 {
		t.Errorf("batch of another schema: %v after %d batches", err, yielded)
	}

	spec.Path = filepath.Join(e.dir, "nosuch", "x.parquet")
	spec.Batches = func(yield func(arrow.RecordBatch, error) bool) {
		for batch.Retain(); yield(batch, nil); batch.Retain() {
		}
	}
	if _, err := e.CopyParquet(t.Context(), spec); err == nil {
		t.Error("wrote into a directory that does not exist")
	}

	spec.Path = path
	spec.Batches = func(yield func(arrow.RecordBatch, error) bool) { batch.Retain(); yield(batch, nil) }
	if n, err := e.CopyParquet(t.Context(), spec); n != 2 || err != nil {
		t.Errorf("after the failures: %d rows, %v", n, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if n := e.Stats().Chunks; n != 0 {
		t.Errorf("%d chunks are alive", n)
	}
}

// TestCopyOfAllSizes writes batches that outgrow the pages that they are passed in, beside
// copies that are cancelled while batches are under way.
func TestCopyOfAllSizes(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, body TEXT")
	sizes := []int{0, 1, 100 << 10, 3 << 20, 1, 5 << 20, 12 << 20, 7, 70 << 10, 1 << 20}
	spec := query.CopySpec{Path: filepath.Join(e.dir, "sizes.parquet"), Schema: schema}
	feed := func(rounds int) func(yield func(arrow.RecordBatch, error) bool) {
		return func(yield func(arrow.RecordBatch, error) bool) {
			for i := range rounds * len(sizes) {
				text := strings.Repeat(string(rune('a'+i%26)), sizes[i%len(sizes)])
				rec := batchesOf(t, schema, [][]kalam.Value{row(big(int64(i)), txt(text))}, 2048)[0].Record
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i)*5*time.Millisecond)
		spec.Batches = feed(1000)
		if _, err := e.CopyParquet(ctx, spec); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled copy: %v, want the deadline", err)
		}
		cancel()
	}
	spec.Batches = feed(4)
	var used usage.Usage
	if n, err := e.CopyParquet(usage.With(t.Context(), &used), spec); n != int64(4*len(sizes)) || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	if elsewhere := isolation == "process"; (used.CPU() > 0) != elsewhere || (used.Memory() > 0) != elsewhere {
		t.Errorf("isolation %s: another process used %v and %d bytes", isolation, used.CPU(), used.Memory())
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := stock(t, db, `SELECT string_agg(concat(id, ':', length(body), ':', body[1], ':',
		body = repeat(body[1], length(body)::BIGINT)), ' ' ORDER BY id) FROM '`+spec.Path+`'`)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 4 * len(sizes) {
		first := string(rune('a' + i%26))
		if sizes[i%len(sizes)] == 0 {
			first = ""
		}
		want = append(want, fmt.Sprintf("%d:%d:%s:true", i, sizes[i%len(sizes)], first))
	}
	if got != strings.Join(want, " ") {
		t.Errorf("got  %s\nwant %s", got, strings.Join(want, " "))
	}
	if n := e.Stats().Chunks; n != 0 {
		t.Errorf("%d chunks are alive", n)
	}
}
