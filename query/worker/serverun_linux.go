package worker

import (
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/wire"
)

// Rows are sent when there are so many bytes of them, or after so long.
const (
	sendBytes = 256 << 10
	sendAfter = 5 * time.Millisecond
	endBytes  = 32 << 10 // So few are sent with the end of the result, which copies them.
	keptBytes = 1 << 20  // Of the memory that rows are collected in, for the next statement.
)

// rowStream collects an Arrow stream and sends it in pieces.
type rowStream struct {
	server *server
	call   uint32
	buf    []byte
	sent   time.Time // When a piece was sent.
}

// Write implements io.Writer.
func (w *rowStream) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// send sends what has been collected, if it is time to.
func (w *rowStream) send() error {
	if len(w.buf) < sendBytes && time.Since(w.sent) < sendAfter {
		return nil
	}
	return w.flush()
}

// flush sends what has been collected.
func (w *rowStream) flush() error {
	if err := w.fits(); err != nil {
		return err
	}
	if err := w.server.conn.Write(process.Frame{Kind: wire.Rows, Call: w.call, Payload: w.buf}); err != nil {
		return err
	}
	w.buf, w.sent = w.buf[:0], time.Now()
	return nil
}

// fits refuses rows that a frame cannot hold. What is sent is never cut within a message,
// so that it is read where it was received.
func (w *rowStream) fits() error {
	if len(w.buf) > process.MaxFrame-maxReport {
		return kalam.Errorf(kalam.CodeTooLarge, "a row of the result is larger than %d MiB", process.MaxFrame>>20)
	}
	return nil
}

// maxReport bounds a Report in bytes.
const maxReport = 256

// add writes a batch, in pieces when it is large.
func (w *rowStream) add(out *ipc.Writer, rec arrow.RecordBatch) error {
	if n := rec.NumRows(); n > 1 && bytesOf(rec) > process.MaxFrame/8 {
		for _, part := range []arrow.RecordBatch{rec.NewSlice(0, n/2), rec.NewSlice(n/2, n)} {
			err := w.add(out, part)
			part.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := out.Write(rec); err != nil {
		return err
	}
	return w.send()
}

// bytesOf estimates the bytes of a batch.
func bytesOf(rec arrow.RecordBatch) (n int64) {
	for _, col := range rec.Columns() {
		n += int64(col.Data().SizeInBytes())
	}
	return n
}

// run runs a statement and sends its rows.
func (s *server) run(f process.Frame, r *wire.Reader) (process.Frame, error) {
	st, err := s.statement(r)
	if err != nil {
		return process.Frame{}, err
	}
	w := &rowStream{server: s, call: f.Call, buf: s.rows[:0], sent: time.Now()}
	defer func() {
		if s.rows = w.buf; cap(w.buf) > keptBytes {
			s.rows = nil
		}
	}()
	var c *cursor
	err = s.session.call(s.ctx, func() (err error) {
		if c, err = s.session.start(st); err != nil {
			return err
		}
		return w.all(c)
	})
	var report wire.Report
	if c != nil {
		report.Found = c.found
		if fault := c.close(); err == nil {
			err = fault
		}
	}
	if err != nil {
		return process.Frame{}, err
	}
	if len(w.buf) > endBytes {
		if err := w.flush(); err != nil {
			return process.Frame{}, err
		}
	}
	var b wire.Buffer
	b.PutReport(s.report(report))
	b.B = append(b.B, w.buf...)
	return process.Frame{Kind: wire.End, Payload: b.B}, nil
}

// all writes the rows of c.
func (w *rowStream) all(c *cursor) error {
	out := ipc.NewWriter(w, ipc.WithSchema(c.out.schema))
	var rec arrow.RecordBatch
	var err error
	for {
		if rec, err = c.next(); err != nil {
			break
		}
		err = w.add(out, rec)
		rec.Release()
		if err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, out.Close())
}

// report adds what the worker keeps.
func (s *server) report(r wire.Report) wire.Report {
	r.Prepared = s.session.statements.Len()
	r.Chunks, r.Sources = liveChunks(), liveSources()
	r.Hits, r.Misses, r.Bytes = s.session.chunks.stats()
	return r
}

// copy writes a file.
func (s *server) copy(r *wire.Reader) (process.Frame, error) {
	s.mu.Lock()
	in := s.intake
	s.mu.Unlock()
	defer in.end()
	spec, isFed, err := r.Copy(&s.schemas)
	if err != nil {
		return process.Frame{}, err
	}
	var feedErr error
	if isFed {
		spec.Batches = func(yield func(arrow.RecordBatch, error) bool) { feedErr = in.take(s.ctx, yield) }
	}
	n, err := s.copier.write(s.ctx, spec)
	if err != nil {
		return process.Frame{}, err
	}
	if feedErr != nil {
		return process.Frame{}, feedErr
	}
	var b wire.Buffer
	b.Uint(uint64(n))
	return process.Frame{Kind: wire.Answer, Payload: b.B}, nil
}
