package query

// #include <stdlib.h>
// #include "scan.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
)

// maxChunkRows is the number of rows of DuckDB's data chunks.
const maxChunkRows = 2048

// schema is an Arrow schema in DuckDB's form. It is immutable.
type schema struct {
	c       *C.kalam_schema
	arrow   *arrow.Schema
	id      uint64   // Distinguishes schemas for the whole life of the process.
	columns []column // In the order of arrow.
}

// column is one column of a source.
type column struct {
	name string
	cast string // SQL type that a Parquet column is cast to, "" for none.
	json bool   // Of type JSON in queries.
	// unfiltered keeps conditions from the Parquet reader: it believes bloom filters
	// that lack values which are there, of BLOB columns with values that repeat and
	// of floats beside a NaN. Files of before we wrote none have them.
	unfiltered bool
}

// newSchema converts s on a connection. The caller closes it.
func newSchema(c *conn, s *arrow.Schema, id uint64) (*schema, error) {
	out := &schema{arrow: s, id: id, columns: columnsOf(s)}
	names := make([]*C.char, s.NumFields()+1)
	for i := range s.NumFields() {
		names[i] = C.CString(s.Field(i).Name)
		defer C.free(unsafe.Pointer(names[i]))
	}
	cSchema := C.calloc(1, C.size_t(unsafe.Sizeof(cdata.CArrowSchema{})))
	defer C.free(cSchema)
	cdata.ExportArrowSchema(s, (*cdata.CArrowSchema)(cSchema))
	defer cdata.ReleaseCArrowSchema((*cdata.CArrowSchema)(cSchema))
	rec := emptyBatch(s)
	defer rec.Release()
	cArray, release := exportBatch(rec)
	defer release()
	var msg *C.char
	out.c = C.kalam_schema_new(C.duck(c.c.Ptr), cSchema, cArray, &names[0], C.idx_t(s.NumFields()), &msg)
	if out.c == nil {
		return nil, fmt.Errorf("read schema %s: %w", s, takeError(msg))
	}
	return out, nil
}

// emptyBatch returns a batch of s without rows.
func emptyBatch(s *arrow.Schema) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	return b.NewRecordBatch()
}

// exportBatch returns rec as a struct of the C data interface. release frees
// what DuckDB has not taken.
func exportBatch(rec arrow.RecordBatch) (p unsafe.Pointer, release func()) {
	p = C.calloc(1, C.size_t(unsafe.Sizeof(cdata.CArrowArray{})))
	cdata.ExportArrowRecordBatch(rec, (*cdata.CArrowArray)(p), nil)
	return p, func() {
		cdata.ReleaseCArrowArray((*cdata.CArrowArray)(p))
		C.free(p)
	}
}

// takeError returns and frees the error of a C function.
func takeError(msg *C.char) error {
	if msg == nil {
		return errors.New("out of memory")
	}
	defer C.free(unsafe.Pointer(msg))
	return parseDuckError(C.GoString(msg))
}

// newChunk converts a batch of at most maxChunkRows rows. The chunk shares the
// batch's memory and keeps it alive.
func newChunk(c *conn, s *schema, rec arrow.RecordBatch) (*C.kalam_chunk, error) {
	if int(rec.NumCols()) != len(s.columns) {
		return nil, kalam.Errorf(kalam.CodeInternal, "a batch has %d columns, its source %d", rec.NumCols(), len(s.columns))
	}
	for i, col := range rec.Columns() {
		if !arrow.TypeEqual(col.DataType(), s.arrow.Field(i).Type) {
			return nil, kalam.Errorf(kalam.CodeInternal, "column %s of a batch is %s, of its source %s", s.columns[i].name, col.DataType(), s.arrow.Field(i).Type)
		}
	}
	p, release := exportBatch(rec)
	defer release()
	var msg *C.char
	chunk := C.kalam_chunk_new(C.duck(c.c.Ptr), s.c, p, &msg)
	if chunk == nil {
		return nil, fmt.Errorf("read batch: %w", takeError(msg))
	}
	return chunk, nil
}
