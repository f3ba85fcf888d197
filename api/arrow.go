package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session"
	"github.com/kalamlake/kalam/sqltext"
)

// mimeArrow is the media type of an Arrow IPC stream.
const mimeArrow = "application/vnd.apache.arrow.stream"

// arrowRows is how many rows without a batch of their own become one.
const arrowRows = 2048

// arrowEncoder writes the rows of one SELECT as an Arrow IPC stream. It
// implements session.Results and is used from one goroutine.
type arrowEncoder struct {
	send func([]byte) bool
	buf  []byte // What ipc wrote and was not yet sent.
	sent bool

	ipc  *ipc.Writer
	rows *datatype.RowsBuilder // Of rows that come one by one; nil when there are none.
}

var (
	_ session.Results = (*arrowEncoder)(nil)
	_ io.Writer       = (*arrowEncoder)(nil)
)

// Write collects what ipc writes and sends it in pieces.
func (e *arrowEncoder) Write(p []byte) (int, error) {
	e.buf = append(e.buf, p...)
	if len(e.buf) < pieceSize {
		return len(p), nil
	}
	e.sent = true
	if !e.send(e.buf) {
		return 0, errAborted
	}
	e.buf = e.buf[:0]
	return len(p), nil
}

// StartRows begins the stream.
func (e *arrowEncoder) StartRows(h session.RowsHeader) (err error) {
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
func (e *arrowEncoder) Batch(b arrow.RecordBatch) error { return e.ipc.Write(b) }

// Values adds one row.
func (e *arrowEncoder) Values(row []kalam.Value) error {
	if err := e.rows.AppendValues(row); err != nil {
		return err
	}
	if e.rows.Len() < arrowRows {
		return nil
	}
	return e.flushRows()
}

// flushRows writes the rows added one by one as a batch.
func (e *arrowEncoder) flushRows() error {
	if e.rows == nil || e.rows.Len() == 0 {
		return nil
	}
	b := e.rows.NewBatch()
	defer b.Release()
	return e.ipc.Write(b)
}

// EndRows ends the stream. A stream has no place for the mark of a result that
// was cut, so such a result fails.
func (e *arrowEncoder) EndRows(t session.RowsTrailer) error {
	if t.Truncated {
		return kalam.Errorf(kalam.CodeResourceExhausted, "%s; an Arrow stream cannot say so: use LIMIT, or ask for JSON",
			t.Message)
	}
	if err := e.flushRows(); err != nil {
		return err
	}
	return e.ipc.Close()
}

// Done refuses a statement without rows; checkArrow has let none pass.
func (e *arrowEncoder) Done(session.Done) error { return errNotArrow }

// release frees the memory of the builder.
func (e *arrowEncoder) release() {
	if e.rows != nil {
		e.rows.Release()
	}
}

var errNotArrow = kalam.Errorf(kalam.CodeInvalidOperation, "An Arrow stream holds the result of exactly one SELECT")

// checkArrow lets only requests of one SELECT pass, before anything runs.
func checkArrow(sql string) error {
	fragments, err := sqltext.Split(sql)
	if err != nil {
		return err
	}
	if len(fragments) != 1 {
		return errNotArrow
	}
	st, err := dialect.Parse(fragments[0].Text)
	if err != nil {
		return err
	}
	if _, ok := st.(*ast.Select); !ok {
		return errNotArrow
	}
	return nil
}

// cut logs a failure that came too late to be told: the client sees a stream
// without its end mark. It returns failure.
func (q *call) cut(failure error) error {
	if !errors.Is(failure, errAborted) && !isEnd(failure) {
		e, _ := q.server.sqlError(failure, q.caller, q.requestID)
		q.server.log.Warn("a result was cut", slog.String("user", string(q.principal.User)),
			slog.String("code", string(e.Code)),
			slog.String("request", q.requestID))
	}
	return failure
}

// runArrow executes the request and streams its rows as Arrow. An error before
// the first piece is told as JSON.
func (q *call) runArrow(c *fiber.Ctx, streaming *bool) error {
	s := q.server
	enc, packed := &arrowEncoder{}, packingOf(c)
	ctx, release := withWatch(s.base, c.Context().Conn())
	var failure error
	doc := s.newDocument(func(send func([]byte) bool) error {
		enc.send = packed.pieces(send)
		if failure = checkArrow(q.request.SQL); failure == nil {
			failure = q.execute(ctx, enc)
		}
		switch {
		case failure != nil && enc.sent:
			return q.cut(failure)
		case failure == nil && enc.sent && !(enc.send(enc.buf) && packed.end(send)):
			return errAborted
		}
		return nil
	}, func() {
		gone := errors.Is(context.Cause(ctx), errGone)
		release()
		q.finish(gone)
		enc.release()
		packed.free()
		if *streaming {
			s.active.end()
		}
	})
	more, err := doc.start()
	if *streaming = more; more {
		packed.mark(c)
		c.Response().Header.SetContentType(mimeArrow)
		c.Response().SetBodyStream(doc, -1)
		return nil
	}
	defer doc.Close()
	if err != nil {
		return fmt.Errorf("stream arrow: %w", err)
	}
	if failure == nil {
		c.Response().Header.SetContentType(mimeArrow)
		c.Response().SetBody(packed.whole(c, enc.buf))
		return nil
	}
	envelope := newEncoder(s.config.Query.Timing)
	defer envelope.free()
	body, status := q.fail(envelope, failure)
	return sendJSON(c, status, body)
}
