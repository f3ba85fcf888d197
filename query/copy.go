package query

// #include "scan.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"runtime/cgo"
	"sort"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// CopySpec is a Parquet file to be written.
type CopySpec struct {
	Path     string // Absolute, inside one of Options.LakeDirs. An existing file is replaced.
	Schema   *arrow.Schema
	Files    []File // Their live rows come first.
	Batches  []Batch
	FieldIDs map[string]int // Field ids of columns; others have none.
	RowGroup int            // Rows of a row group; 0 is DuckDB's 122,880. It is a multiple of 2,048.
	Metadata map[string]string
}

// copier writes Parquet files in an instance that no user SQL reaches.
type copier struct {
	settings []string
	ids      cgo.Handle
	cache    *chunkCache   // Emptied after each file: a flushed batch is not read again.
	turn     chan struct{} // Holds one element while a file is written.
	closed   chan struct{}

	// What follows belongs to whoever has the turn.
	gen    *generation
	conn   *conn
	schema *schemaCache
}

func openCopier(o Options) (*copier, error) {
	c := &copier{
		settings: lockdown(o.LakeDirs, "", defaultMemory(), o.Threads), ids: cgo.NewHandle(nextID(nil)), cache: newChunkCache(),
		turn: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if err := c.open(); err != nil {
		c.ids.Delete()
		return nil, err
	}
	return c, nil
}

func (c *copier) open() error {
	gen, err := openFunctions(c.settings, c.ids)
	if err != nil {
		return err
	}
	conn, err := gen.in.connect()
	if err != nil {
		gen.close()
		return err
	}
	c.gen, c.conn, c.schema = gen, conn, newSchemaCache()
	return nil
}

// end closes the instance.
func (c *copier) end() {
	if c.gen == nil {
		return
	}
	c.schema.clear()
	c.cache.clear()
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
// of the file may be left, which the caller removes. One file is written at a time;
// others wait as long as ctx allows.
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
		rows, err = c.write(&spec)
		return err
	})
	if invalidates(err) {
		c.end()
	}
	if err != nil {
		return 0, fmt.Errorf("write Parquet file: %w", translate(err, nil))
	}
	return rows, nil
}

func (c *copier) write(spec *CopySpec) (int64, error) {
	s, err := c.schema.get(c.conn, spec.Schema)
	if err != nil {
		return 0, err
	}
	defer s.release()
	src := Source{Schema: spec.Schema, Files: spec.Files, Batches: spec.Batches}
	shape, err := c.shape(&src, s)
	if err != nil {
		return 0, err
	}
	cs, err := statementSources(c.conn, c.cache, []Source{src}, []*shaped{shape})
	c.cache.clear()
	if err != nil {
		return 0, err
	}
	C.kalam_registry_put(c.gen.registry, C.idx_t(c.conn.id), cs)
	C.kalam_sources_release(cs)
	defer C.kalam_registry_clear(c.gen.registry, C.idx_t(c.conn.id))
	zero, err := c.filesHaveNegativeZero(&src, shape)
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
	opts := []string{"FORMAT parquet", "COMPRESSION zstd"}
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
	if negativeZero || hasNegativeZero(s.Batches) {
		// The writer's dictionary holds 0 and -0 as one value.
		opts = append(opts, "DICTIONARY_SIZE_LIMIT 0")
	}
	return strings.Join(opts, ", ")
}

// hasNegativeZero reports whether a FLOAT or DOUBLE column holds -0.
func hasNegativeZero(batches []Batch) bool {
	for _, b := range batches {
		for _, col := range b.Record.Columns() {
			switch col := col.(type) {
			case *array.Float64:
				for _, f := range col.Float64Values() {
					if f == 0 && math.Signbit(f) {
						return true
					}
				}
			case *array.Float32:
				for _, f := range col.Float32Values() {
					if f == 0 && math.Signbit(float64(f)) {
						return true
					}
				}
			}
		}
	}
	return false
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
