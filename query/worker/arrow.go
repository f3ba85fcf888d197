package worker

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
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
)

// maxChunkRows is the number of rows of DuckDB's data chunks.
const maxChunkRows = 2048

// schema is a schema in DuckDB's form. It is immutable.
type schema struct {
	c     *C.kalam_schema
	arrow *arrow.Schema
	id    uint64 // Of the query.Schema.
}

// newSchema converts a schema on a connection. The caller releases it.
func newSchema(c *conn, from *query.Schema) (*schema, error) {
	s := from.Arrow
	out := &schema{arrow: s, id: from.ID}
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
	return duckerr.Parse(C.GoString(msg))
}

// newChunk converts a batch of at most maxChunkRows rows. The chunk shares the
// batch's memory and keeps it alive.
func newChunk(c *conn, s *schema, rec arrow.RecordBatch) (*C.kalam_chunk, error) {
	if int(rec.NumCols()) != s.arrow.NumFields() {
		return nil, kalam.Errorf(kalam.CodeInternal, "a batch has %d columns, its source %d",
			rec.NumCols(), s.arrow.NumFields())
	}
	for i, col := range rec.Columns() {
		if !arrow.TypeEqual(col.DataType(), s.arrow.Field(i).Type) {
			return nil, kalam.Errorf(kalam.CodeInternal, "column %s of a batch is %s, of its source %s", s.arrow.Field(i).Name,
				col.DataType(), s.arrow.Field(i).Type)
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
