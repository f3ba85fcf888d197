package results

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/session"
)

// MIMEArrow is the media type of an Arrow IPC stream.
const MIMEArrow = "application/vnd.apache.arrow.stream"

// arrowRows is how many rows without a batch of their own become one.
const arrowRows = 2048

// Arrow writes the rows of one SELECT as an Arrow IPC stream. It
// implements session.Results and is used from one goroutine.
type Arrow struct {
	Send func([]byte) bool // As that of JSON.
	Sent bool              // A piece was sent.
	buf  []byte            // What ipc wrote and was not yet sent.

	ipc  *ipc.Writer
	rows *datatype.RowsBuilder // Of rows that come one by one; nil when there are none.
}

var (
	_ session.Results = (*Arrow)(nil)
	_ io.Writer       = (*Arrow)(nil)
)

// Write collects what ipc writes and sends it in pieces.
func (e *Arrow) Write(p []byte) (int, error) {
	e.buf = append(e.buf, p...)
	if len(e.buf) < pieceSize {
		return len(p), nil
	}
	e.Sent = true
	if !e.Send(e.buf) {
		return 0, ErrAborted
	}
	e.buf = e.buf[:0]
	return len(p), nil
}

// StartRows begins the stream.
func (e *Arrow) StartRows(h session.RowsHeader) (err error) {
	schema := h.Arrow
	if schema == nil {
		fields := make([]arrow.Field, len(h.Fields))
		for i, f := range h.Fields {
			fields[i] = datatype.FieldOf(f.Name, f.Type)
		}
		schema = arrow.NewSchema(fields, nil)
		if e.rows, err = datatype.NewRowsBuilder(memory.DefaultAllocator, schema); err != nil {
			return err
		}
	}
	e.ipc = ipc.NewWriter(e, ipc.WithSchema(schema))
	return nil
}

// Batch writes a batch.
func (e *Arrow) Batch(b arrow.RecordBatch) error { return e.ipc.Write(b) }

// Values adds one row.
func (e *Arrow) Values(row []kalam.Value) error {
	if err := e.rows.AppendValues(row); err != nil {
		return err
	}
	if e.rows.Len() < arrowRows {
		return nil
	}
	return e.flushRows()
}

// flushRows writes the rows added one by one as a batch.
func (e *Arrow) flushRows() error {
	if e.rows == nil || e.rows.Len() == 0 {
		return nil
	}
	b := e.rows.NewBatch()
	defer b.Release()
	return e.ipc.Write(b)
}

// EndRows ends the stream. A stream has no place for the mark of a result that
// was cut, so such a result fails.
func (e *Arrow) EndRows(t session.RowsTrailer) error {
	if t.Truncated {
		return kalam.Errorf(kalam.CodeResourceExhausted, "%s; an Arrow stream cannot say so: use LIMIT, or ask for JSON",
			t.Message)
	}
	if err := e.flushRows(); err != nil {
		return err
	}
	return e.ipc.Close()
}

// Done refuses a statement without rows; the endpoint has let none pass.
func (e *Arrow) Done(session.Done) error { return ErrNotArrow }

// Release frees the memory of the builder.
func (e *Arrow) Release() {
	if e.rows != nil {
		e.rows.Release()
	}
}

// Rest returns what was not yet sent, the whole stream if nothing was.
func (e *Arrow) Rest() []byte { return e.buf }

// ErrNotArrow is the error of a request whose results an Arrow stream cannot hold.
var ErrNotArrow = kalam.Errorf(kalam.CodeInvalidOperation, "An Arrow stream holds the result of exactly one SELECT")
