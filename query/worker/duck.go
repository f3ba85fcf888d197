package worker

// #include <stdlib.h>
// #include "execute.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2/arrowmapping"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
)

// instance is one DuckDB database in memory.
type instance struct {
	db mapping.Database
}

// openInstance opens a database and runs the settings, in order, on a connection
// of its own. It is locked when the last of them locks it.
func openInstance(settings []string) (*instance, error) {
	var cfg mapping.Config
	if mapping.CreateConfig(&cfg) == mapping.StateError {
		return nil, errors.New("create DuckDB configuration")
	}
	defer mapping.DestroyConfig(&cfg)
	in := &instance{}
	var msg string
	if mapping.OpenExt(":memory:", &in.db, cfg, &msg) == mapping.StateError {
		return nil, fmt.Errorf("open DuckDB: %s", msg)
	}
	c, err := in.connect()
	if err != nil {
		in.close()
		return nil, err
	}
	defer c.close()
	for _, s := range settings {
		if err := c.exec(s); err != nil {
			in.close()
			return nil, fmt.Errorf("configure DuckDB: %s: %w", s, err)
		}
	}
	return in, nil
}

// close closes the database. Every connection must be closed.
func (in *instance) close() { mapping.Close(&in.db) }

// conn is one connection. It is used by one goroutine at a time, except for
// interrupt.
type conn struct {
	c  mapping.Connection
	id uint64
}

func (in *instance) connect() (*conn, error) {
	c := &conn{}
	if mapping.Connect(in.db, &c.c) == mapping.StateError {
		return nil, errors.New("connect to DuckDB")
	}
	c.id = uint64(C.kalam_connection_id(C.duck(c.c.Ptr)))
	return c, nil
}

func (c *conn) close() { mapping.Disconnect(&c.c) }

// exec runs a statement of our own and drops its result. It also ends what an
// abandoned result may have left running on the connection.
func (c *conn) exec(sql string) error {
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(c.c, sql, &res) == mapping.StateError {
		return duckerr.Parse(mapping.ResultError(&res))
	}
	return nil
}

// interruptPause is the time between two interrupts of a call that goes on. One
// is not enough: DuckDB forgets those that come before it begins to execute.
const interruptPause = time.Millisecond

// call runs f, which calls DuckDB on c, and interrupts it when ctx ends. The
// error is then ctx's.
func (c *conn) call(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return query.Canceled(ctx)
	}
	if ctx.Done() == nil {
		return f()
	}
	returned, stopped := make(chan struct{}), make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(stopped)
		tick := time.NewTicker(interruptPause)
		defer tick.Stop()
		for {
			mapping.Interrupt(c.c)
			select {
			case <-returned:
				return
			case <-tick.C:
			}
		}
	})
	err := f()
	close(returned)
	if !cancel() {
		<-stopped // Otherwise it could interrupt the connection's next statement.
	}
	if err != nil && !errors.Is(err, io.EOF) && ctx.Err() != nil {
		return query.Canceled(ctx)
	}
	return err
}

// statement is a prepared statement of a connection.
type statement struct {
	p mapping.PreparedStatement
}

// prepare prepares exactly one statement. It takes the way over the extracted
// statements, because only then errors come as JSON.
func (c *conn) prepare(sql string) (*statement, error) {
	var extracted mapping.ExtractedStatements
	n := mapping.ExtractStatements(c.c, sql, &extracted)
	defer mapping.DestroyExtracted(&extracted)
	switch n {
	case 0:
		return nil, duckerr.Parse(mapping.ExtractStatementsError(extracted))
	case 1:
	default:
		return nil, fmt.Errorf("prepare: %d statements in one", n)
	}
	st := &statement{}
	if mapping.PrepareExtractedStatement(c.c, extracted, 0, &st.p) == mapping.StateError {
		err := duckerr.Parse(mapping.PrepareError(st.p))
		mapping.DestroyPrepare(&st.p)
		return nil, err
	}
	return st, nil
}

func (st *statement) close() { mapping.DestroyPrepare(&st.p) }

// start executes the statement up to where rows can be fetched. When stream is
// set the result comes as it is computed.
func (st *statement) start(stream bool) (*result, error) {
	var pending mapping.PendingResult
	defer mapping.DestroyPending(&pending)
	if stream {
		state := C.kalam_stream(C.duck(st.p.Ptr), (*C.duck)(unsafe.Pointer(&pending.Ptr)))
		if state != 0 {
			return nil, duckerr.Parse(mapping.PendingError(pending))
		}
	} else if mapping.PendingPrepared(st.p, &pending) == mapping.StateError {
		return nil, duckerr.Parse(mapping.PendingError(pending))
	}
	if !C.kalam_execute(C.duck(pending.Ptr)) {
		return nil, duckerr.Parse(mapping.PendingError(pending))
	}
	r := &result{}
	if mapping.ExecutePending(pending, &r.res) == mapping.StateError {
		err := duckerr.Parse(mapping.ResultError(&r.res))
		r.close()
		return nil, err
	}
	return r, nil
}

// result is the result of a statement.
type result struct {
	res      mapping.Result
	opts     arrowmapping.ArrowOptions
	schema   *arrow.Schema
	types    []mapping.Type // DuckDB's types of the columns.
	nonArrow []bool         // Columns whose values Arrow has no form for.
}

// describe finds out the schema; it comes before fetch.
func (r *result) describe() error {
	n := mapping.ColumnCount(&r.res)
	names, types := make([]string, n), make([]mapping.LogicalType, n)
	defer destroyTypes(types)
	for i := range n {
		names[i] = mapping.ColumnName(&r.res, i)
		types[i] = mapping.ColumnLogicalType(&r.res, i)
	}
	r.opts = arrowmapping.ResultGetArrowOptions(&r.res)
	return r.columns(names, types)
}

func destroyTypes(types []mapping.LogicalType) {
	for i := range types {
		mapping.DestroyLogicalType(&types[i])
	}
}

// columns sets the columns of the result.
func (r *result) columns(names []string, types []mapping.LogicalType) error {
	r.types, r.nonArrow = make([]mapping.Type, len(types)), make([]bool, len(types))
	for i := range types {
		r.types[i] = mapping.GetTypeId(types[i])
		r.nonArrow[i] = isNonArrow(types[i], maxNesting)
	}
	schema, ed := arrowmapping.NewArrowSchema(r.opts, types, names)
	if err := errorOf(&ed); err != nil {
		return err
	}
	fields := append([]arrow.Field(nil), schema.Fields()...)
	for i := range fields {
		fields[i] = jsonMarked(fields[i], types[i])
	}
	r.schema = arrow.NewSchema(fields, nil)
	return nil
}

// jsonMarked returns f, the Arrow form of t, with what is of DuckDB's type JSON, at any
// depth, marked so.
func jsonMarked(f arrow.Field, t mapping.LogicalType) arrow.Field {
	inner := func(f arrow.Field, child mapping.LogicalType) arrow.Field {
		defer mapping.DestroyLogicalType(&child)
		return jsonMarked(f, child)
	}
	switch typ := f.Type.(type) {
	case *arrow.StringType:
		if mapping.LogicalTypeGetAlias(t) == "JSON" {
			f = datatype.JSONField(f)
		}
	case *arrow.StructType:
		if mapping.GetTypeId(t) != mapping.TypeStruct {
			break
		}
		fields := append([]arrow.Field(nil), typ.Fields()...)
		for i := range fields {
			fields[i] = inner(fields[i], mapping.StructTypeChildType(t, mapping.IdxT(i)))
		}
		f.Type = arrow.StructOf(fields...)
	case *arrow.ListType:
		f.Type = arrow.ListOfField(inner(typ.ElemField(), mapping.ListTypeChildType(t)))
	case *arrow.FixedSizeListType:
		f.Type = arrow.FixedSizeListOfField(typ.Len(), inner(typ.ElemField(), mapping.ArrayTypeChildType(t)))
	case *arrow.MapType:
		key, item := inner(typ.KeyField(), mapping.MapTypeKeyType(t)), inner(typ.ItemField(), mapping.MapTypeValueType(t))
		f.Type = arrow.MapOfFields(key, item)
	}
	return f
}

// maxNesting is how deep the types of a result column are nested; those that are nested
// deeper, which Arrow's streams do not take, become text.
const maxNesting = 60

// isNonArrow reports whether DuckDB's Arrow form of t loses values, or is nested deeper than
// depth.
func isNonArrow(t mapping.LogicalType, depth int) bool {
	if depth == 0 {
		return true
	}
	var inner []mapping.LogicalType
	switch mapping.GetTypeId(t) {
	case mapping.TypeUHugeInt, mapping.TypeBit, mapping.TypeBigNum, mapping.TypeTimeTZ,
		mapping.TypeVariant, mapping.TypeGeometry:
		return true
	case mapping.TypeList:
		inner = append(inner, mapping.ListTypeChildType(t))
	case mapping.TypeArray:
		inner = append(inner, mapping.ArrayTypeChildType(t))
	case mapping.TypeMap:
		inner = append(inner, mapping.MapTypeKeyType(t), mapping.MapTypeValueType(t))
	case mapping.TypeStruct:
		for i := range mapping.StructTypeChildCount(t) {
			inner = append(inner, mapping.StructTypeChildType(t, i))
		}
	case mapping.TypeUnion:
		for i := range mapping.UnionTypeMemberCount(t) {
			inner = append(inner, mapping.UnionTypeMemberType(t, i))
		}
	}
	nonArrow := false
	for i := range inner {
		nonArrow = nonArrow || isNonArrow(inner[i], depth-1)
		mapping.DestroyLogicalType(&inner[i])
	}
	return nonArrow
}

// fetch returns the next piece of the result, io.EOF after the last. The caller
// releases it.
func (r *result) fetch() (arrow.RecordBatch, error) {
	chunk := mapping.FetchChunk(r.res)
	if chunk.Ptr == nil {
		if msg := mapping.ResultError(&r.res); msg != "" {
			return nil, duckerr.Parse(msg)
		}
		return nil, io.EOF
	}
	defer mapping.DestroyDataChunk(&chunk)
	rec, ed := arrowmapping.DataChunkToArrowArray(r.opts, r.schema, chunk)
	if err := errorOf(&ed); err != nil {
		return nil, err
	}
	return rec, nil
}

func (r *result) close() {
	if r.opts.Ptr != nil {
		arrowmapping.DestroyArrowOptions(&r.opts)
	}
	mapping.DestroyResult(&r.res)
}

// errorOf frees ed and returns its error.
func errorOf(ed *mapping.ErrorData) error {
	if ed.Ptr == nil {
		return nil
	}
	defer mapping.DestroyErrorData(ed)
	if !mapping.ErrorDataHasError(*ed) {
		return nil
	}
	return duckerr.Parse(mapping.ErrorDataMessage(*ed))
}

// textsOf runs a prepared statement that takes one text and gives one row of
// texts.
func (st *statement) textsOf(arg string) ([]string, error) {
	if mapping.BindVarchar(st.p, 1, arg) == mapping.StateError {
		return nil, errors.New("bind text")
	}
	r, err := st.start(false)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.describe(); err != nil {
		return nil, err
	}
	rec, err := r.fetch()
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	texts := make([]string, rec.NumCols())
	for i, c := range rec.Columns() {
		col, ok := c.(*array.String)
		if !ok || col.Len() != 1 || col.IsNull(0) {
			return nil, errors.New("DuckDB gave no text")
		}
		texts[i] = strings.Clone(col.Value(0))
	}
	return texts, nil
}
