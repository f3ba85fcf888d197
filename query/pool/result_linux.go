package pool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/wire"
)

// result is the result of a statement. Its worker computes it whether it is read or not,
// as long as there is room for it.
type result struct {
	spool  *spool
	call   *call           // nil when it had ended before the result was read.
	pumped chan struct{}   // Closed when the call has ended; nil without call.
	ctx    context.Context // Of the Next that reads.
	frame  []byte          // What is left of the frame that is read.
	reader *ipc.Reader
	failed error // Of the spool, which the reader may have hidden.
	err    error // Of the last Next.
}

// Run implements query.Executor. ctx bounds the statement until its Result is closed.
func (p *Pool) Run(ctx context.Context, st *query.Statement) (query.Result, error) {
	c, err := p.acquire(ctx, st.User, demand{statement: st.ID, parallel: st.Parallel})
	if err != nil {
		return nil, err
	}
	var b wire.Buffer
	if err = c.sendStatement(wire.Run, &b, st); err != nil {
		return nil, c.unsent(err)
	}
	f, err := c.read()
	r := &result{spool: newSpool(&p.spools, st.User), ctx: ctx}
	last, err := c.take(r.spool, st.ID, f, err)
	if err != nil {
		r.spool.drop()
		return nil, err
	}
	if !last {
		r.call, r.pumped = c, make(chan struct{})
		go r.pump(st.ID)
	}
	if r.reader, err = openReader(r); err != nil {
		err = r.because(err)
		r.Close()
		return nil, err
	}
	return r, nil
}

// take handles a frame of the answer, or the error of reading it. last says that the
// call has ended.
//
//nolint:contextcheck // The call has the context of its statement; the worker outlives both.
func (c *call) take(to *spool, statement uint64, f process.Frame, err error) (last bool, _ error) {
	if err != nil {
		err = c.lost(err)
		c.finish(err, true)
		return true, err
	}
	switch f.Kind {
	case wire.Rows:
		if err := to.write(c.ctx, c.w.proc.Conn().Own(f)); err != nil {
			c.end(err)
			to.end(err)
			to.drop()
		}
		return false, nil
	case wire.End:
		r := wire.NewReader(f.Payload)
		report := r.Report()
		rest := append([]byte(nil), r.Rest()...)
		if err := r.Err(); err != nil {
			c.finish(err, true)
			return true, err
		}
		c.w.ran(statement, report)
		c.finish(nil, false) // The worker is free before the result is read.
		c.seen.Sends()
		if err := to.writeLast(context.WithoutCancel(c.ctx), rest); err != nil {
			return true, err
		}
		return true, nil
	}
	err = failureOf(f.Kind, wire.NewReader(f.Payload))
	c.finish(err, false)
	return true, c.ended(err)
}

// writeLast adds the last frame, for which there is always room. The call has ended.
func (s *spool) writeLast(ctx context.Context, p []byte) error {
	s.mu.Lock()
	inFile := len(s.lengths) > 0
	if !s.dropped && !inFile && len(p) > 0 {
		s.keep(p)
	}
	s.mu.Unlock()
	if inFile && len(p) > 0 {
		if err := s.write(ctx, p); err != nil {
			return err
		}
	}
	s.end(nil)
	return nil
}

// pump takes what the worker sends until the call has ended.
func (r *result) pump(statement uint64) {
	defer close(r.pumped)
	for {
		f, err := r.call.read()
		last, err := r.call.take(r.spool, statement, f, err)
		if err != nil {
			r.spool.end(err)
		}
		if last {
			return
		}
	}
}

// openReader reads the schema.
func openReader(r *result) (reader *ipc.Reader, err error) {
	defer recovered(&err)
	return ipc.NewReaderFromMessageReader(r)
}

// recovered turns a panic of Arrow, which a worker that is taken over could cause, into
// an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = kalam.Wrap(kalam.CodeInternal, fmt.Errorf("%v", p), "%s", errStream.Msg)
	}
}

// Message implements ipc.MessageReader: the next message of the stream, which stays where
// it was received.
func (r *result) Message() (*ipc.Message, error) {
	for len(r.frame) == 0 {
		var err error
		if r.frame, err = r.spool.read(r.ctx); err != nil {
			if !errors.Is(err, io.EOF) {
				r.failed = err
			}
			return nil, err
		}
	}
	const head = 8 // A mark, and the length of the metadata.
	if len(r.frame) < head {
		return nil, errStream
	}
	n := int(binary.LittleEndian.Uint32(r.frame[4:]))
	if n == 0 { // The end of the stream.
		r.frame = nil
		return nil, io.EOF
	}
	if n < 8 || n > len(r.frame)-head {
		return nil, errStream
	}
	meta := memory.NewBufferBytes(r.frame[head : head+n : head+n])
	rest := r.frame[head+n:]
	size := ipc.NewMessage(meta, memory.NewBufferBytes(nil)).BodyLen()
	if size < 0 || size > int64(len(rest)) {
		return nil, errStream
	}
	r.frame = rest[size:]
	return ipc.NewMessage(meta, memory.NewBufferBytes(rest[:size:size])), nil
}

// errStream is the error of a stream that is none.
var errStream = kalam.Errorf(kalam.CodeInternal, "a query worker sent rows that cannot be read")

// Retain implements ipc.MessageReader; there is nothing to count.
func (r *result) Retain() {}

// Release implements ipc.MessageReader.
func (r *result) Release() {}

// because returns why the stream could not be read.
func (r *result) because(err error) error {
	if r.failed != nil {
		return r.failed
	}
	return err
}

// Schema implements query.Result.
func (r *result) Schema() *arrow.Schema { return r.reader.Schema() }

// Next implements query.Result.
func (r *result) Next(ctx context.Context) (rec arrow.RecordBatch, err error) {
	if r.err != nil {
		return nil, r.err
	}
	defer func() {
		if err != nil {
			r.err = err
			r.end()
		}
	}()
	defer recovered(&err)
	r.ctx = ctx
	if ctx.Err() != nil {
		return nil, query.Canceled(ctx)
	}
	if !r.reader.Next() {
		if err := r.because(r.reader.Err()); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	rec = r.reader.RecordBatch()
	rec.Retain()
	return rec, nil
}

// Close implements query.Result.
func (r *result) Close() {
	if r.err == nil {
		r.err = kalam.Errorf(kalam.CodeInternal, "rows are closed")
	}
	r.end()
	if r.reader != nil {
		r.reader.Release()
		r.reader = nil
	}
}

// end ends the statement and lets go of what was not read.
func (r *result) end() {
	r.spool.drop()
	if r.call != nil {
		r.call.end(kalam.Errorf(kalam.CodeCanceled, "the result was closed"))
		<-r.pumped
		r.call = nil
	}
}
