package worker

// #include "scan.h"
import "C"

import (
	"context"
	"fmt"
	"runtime/cgo"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam/query"
)

// copier writes Parquet files in an instance that no user SQL reaches.
type copier struct {
	*generation
	dirs    []string // Those that it may write in.
	conn    *conn
	feeder  *conn // Converts batches while conn runs a statement.
	schemas *schemaCache
}

// openCopier opens the instance.
func openCopier(o Options) (*copier, error) {
	dirs := o.dirs()
	gen, err := openFunctions(lockdown(dirs, "", o.MemoryLimit, o.Threads), nil, false)
	if err != nil {
		return nil, err
	}
	c := &copier{generation: gen, dirs: dirs, schemas: newSchemaCache()}
	if c.conn, err = gen.in.connect(); err != nil {
		c.close()
		return nil, err
	}
	if c.feeder, err = gen.in.connect(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// close closes the instance.
func (c *copier) close() {
	c.schemas.clear()
	for _, conn := range []*conn{c.feeder, c.conn} {
		if conn != nil {
			conn.close()
		}
	}
	c.generation.close()
}

// write runs a COPY and returns the number of rows.
func (c *copier) write(ctx context.Context, spec *query.Copy) (rows int64, err error) {
	err = c.conn.call(ctx, func() (err error) {
		rows, err = c.run(ctx, spec)
		return err
	})
	return rows, err
}

func (c *copier) run(ctx context.Context, spec *query.Copy) (rows int64, err error) {
	s, err := c.schemas.get(c.conn, spec.Input.Schema)
	if err != nil {
		return 0, err
	}
	defer s.release()
	cs, err := statementSources(c.conn, nil, []query.Input{spec.Input}, []*schema{s})
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
	C.kalam_registry_put(c.registry, C.idx_t(c.conn.id), cs)
	C.kalam_sources_release(cs)
	defer C.kalam_registry_clear(c.registry, C.idx_t(c.conn.id))
	text := spec.SQL
	if spec.Check != "" {
		n, err := c.number(spec.Check, spec.Params)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			text = spec.CheckedSQL
		}
	}
	return c.number(text, spec.Params)
}

// number runs a statement that gives one number.
func (c *copier) number(sql string, params []query.Param) (int64, error) {
	st, err := c.conn.prepare(sql)
	if err != nil {
		return 0, err
	}
	defer st.close()
	if err := st.bindAll(params); err != nil {
		return 0, err
	}
	res, err := st.start(false)
	if err != nil {
		return 0, err
	}
	defer res.close()
	return res.count()
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
