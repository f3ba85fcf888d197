package query

// #include "scan.h"
import "C"

import (
	"context"
	"fmt"
	"iter"
	"runtime/cgo"
	"sort"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// CopySpec is a Parquet file to be written.
type CopySpec struct {
	Path   string // Absolute, inside one of Options.LakeDirs. An existing file is replaced.
	Schema *arrow.Schema
	Files  []File // Their live rows come first.
	// Batches yields record batches of Schema, in another goroutine and while the
	// file is written, until an error or the end. They are released by CopyParquet.
	// nil is none.
	Batches      iter.Seq2[arrow.RecordBatch, error]
	NegativeZero bool           // A FLOAT or DOUBLE of Batches may be -0. Without it -0 can become 0.
	FieldIDs     map[string]int // Field ids of columns; others have none.
	RowGroup     int            // Rows of a row group; 0 is DuckDB's 122,880. It is a multiple of 2,048.
	Metadata     map[string]string
}

// copier writes Parquet files in an instance that no user SQL reaches.
type copier struct {
	settings []string
	ids      cgo.Handle
	turn     chan struct{} // Holds one element while a file is written.
	closed   chan struct{}

	// What follows belongs to whoever has the turn.
	gen    *generation
	conn   *conn
	feeder *conn // Converts batches while conn runs a statement.
	schema *schemaCache
}

func openCopier(o Options) (*copier, error) {
	c := &copier{
		settings: lockdown(o.LakeDirs, "", defaultMemory(), o.Threads), ids: cgo.NewHandle(nextID(nil)),
		turn: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if err := c.open(); err != nil {
		c.ids.Delete()
		return nil, err
	}
	return c, nil
}

func (c *copier) open() error {
	gen, err := openFunctions(c.settings, c.ids, false)
	if err != nil {
		return err
	}
	conn, err := gen.in.connect()
	if err != nil {
		gen.close()
		return err
	}
	feeder, err := gen.in.connect()
	if err != nil {
		conn.close()
		gen.close()
		return err
	}
	c.gen, c.conn, c.feeder, c.schema = gen, conn, feeder, newSchemaCache()
	return nil
}

// end closes the instance.
func (c *copier) end() {
	if c.gen == nil {
		return
	}
	c.schema.clear()
	c.feeder.close()
	c.conn.close()
	c.gen.close()
	c.gen = nil
}

// close waits for the file that is being written.
func (c *copier) close() {
	close(c.closed)
	c.turn <- struct{}{}
	c.end()
	c.ids.Delete()
}

// CopyParquet writes the live rows of the files and batches, in their order, as one
// Parquet file, compressed with zstd, and returns their number. The file is not
// synced. On an error, which has CodeResourceExhausted when the disk is full, a part
// of the file may be left, which the caller removes. It fails whenever ctx ended
// before the file did: the batches may have stopped early because of that. One file
// is written at a time; others wait as long as ctx allows.
func (e *Engine) CopyParquet(ctx context.Context, spec CopySpec) (rows int64, err error) {
	c := e.copier
	select {
	case <-c.closed:
		return 0, errClosed()
	default:
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-c.closed:
		return 0, errClosed()
	case <-ctx.Done():
		return 0, canceled(ctx)
	}
	if c.gen == nil { // The last file broke it.
		if err := c.open(); err != nil {
			return 0, fmt.Errorf("write Parquet file: %w", translate(err, nil))
		}
	}
	err = c.conn.call(ctx, func() (err error) {
		rows, err = c.write(ctx, &spec)
		return err
	})
	if invalidates(err) {
		c.end()
	}
	if err != nil {
		return 0, fmt.Errorf("write Parquet file: %w", translate(err, nil))
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("write Parquet file: %w", canceled(ctx))
	}
	return rows, nil
}

func (c *copier) write(ctx context.Context, spec *CopySpec) (rows int64, err error) {
	s, err := c.schema.get(c.conn, spec.Schema)
	if err != nil {
		return 0, err
	}
	defer s.release()
	src := Source{Schema: spec.Schema, Files: spec.Files}
	shape, err := shapeOf(&src, s)
	if err != nil {
		return 0, err
	}
	shape.scan, shape.plain = shape.scan || spec.Batches != nil, true
	cs, err := statementSources(c.conn, nil, []Source{src}, []*shaped{shape})
	if err != nil {
		return 0, err
	}
	if spec.Batches != nil {
		f := startFeed(ctx, c.feeder, s, spec.Batches)
		handle := cgo.NewHandle(f)
		defer func() {
			if failed := f.end(); failed != nil && err != nil {
				err = failed // What DuckDB was told of it is a text.
			}
			handle.Delete()
		}()
		C.kalam_sources_feed(cs, 0, C.uintptr_t(handle))
	}
	C.kalam_registry_put(c.gen.registry, C.idx_t(c.conn.id), cs)
	C.kalam_sources_release(cs)
	defer C.kalam_registry_clear(c.gen.registry, C.idx_t(c.conn.id))
	return c.copy(spec, &src, shape)
}

// copy runs the COPY.
func (c *copier) copy(spec *CopySpec, src *Source, shape *shaped) (int64, error) {
	zero, err := c.filesHaveNegativeZero(src, shape)
	if err != nil {
		return 0, err
	}
	st, err := c.conn.prepare("COPY (" + shape.copyText() + ") TO " + quoteText(spec.Path) + " (" + spec.options(zero) + ")")
	if err != nil {
		return 0, err
	}
	defer st.close()
	if err := shape.bindFiles(st); err != nil {
		return 0, err
	}
	res, err := st.start(false)
	if err != nil {
		return 0, err
	}
	defer res.close()
	return res.count()
}

// options returns the options of COPY. negativeZero says that the files hold -0.
func (s *CopySpec) options(negativeZero bool) string {
	// The bloom filters of this writer lack values; see column.unfiltered.
	opts := []string{"FORMAT parquet", "COMPRESSION zstd", "WRITE_BLOOM_FILTER false"}
	if s.RowGroup > 0 {
		opts = append(opts, "ROW_GROUP_SIZE "+strconv.Itoa(s.RowGroup))
	}
	if len(s.FieldIDs) > 0 {
		var ids []string
		for name, id := range s.FieldIDs {
			ids = append(ids, quoteText(name)+": "+strconv.Itoa(id))
		}
		sort.Strings(ids)
		opts = append(opts, "FIELD_IDS {"+strings.Join(ids, ", ")+"}")
	}
	if len(s.Metadata) > 0 {
		var pairs []string
		for key, value := range s.Metadata {
			pairs = append(pairs, quoteText(key)+": "+quoteText(value))
		}
		sort.Strings(pairs)
		opts = append(opts, "KV_METADATA {"+strings.Join(pairs, ", ")+"}")
	}
	if negativeZero || s.NegativeZero {
		// The writer's dictionary holds 0 and -0 as one value.
		opts = append(opts, "DICTIONARY_SIZE_LIMIT 0")
	}
	return strings.Join(opts, ", ")
}

// count returns the number that a statement without rows gives.
func (r *result) count() (int64, error) {
	if err := r.describe(); err != nil {
		return 0, err
	}
	rec, err := r.fetch()
	if err != nil {
		return 0, err
	}
	defer rec.Release()
	n, ok := rec.Column(0).(*array.Int64)
	if !ok || n.Len() != 1 {
		return 0, fmt.Errorf("DuckDB gave no row count")
	}
	return n.Value(0), nil
}
