package worker

// #include <stdlib.h>
// #include "scan.h"
import "C"

import (
	"context"
	"iter"
	"runtime/cgo"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam/query"
)

// feedAhead is the number of chunks that are made before the scan asks for them.
const feedAhead = 8

// feed gives the scan of a running statement its chunks while they are made, in a
// goroutine of its own: the making overlaps with the statement, and a few are in
// memory at a time.
type feed struct {
	chunks chan *C.kalam_chunk
	ctx    context.Context // Of the statement; ends the waits on both sides.
	cancel context.CancelFunc
	err    error // Why chunks was closed early; set before it is.
}

// startFeed converts batches on a connection on which no statement runs. The
// caller calls end once the statement is over.
func startFeed(ctx context.Context, c *conn, s *schema, batches iter.Seq2[arrow.RecordBatch, error]) *feed {
	f := &feed{chunks: make(chan *C.kalam_chunk, feedAhead)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	go func() {
		defer close(f.chunks)
		for rec, err := range batches {
			if err == nil {
				err = f.add(c, s, rec)
			}
			if err != nil {
				f.err = err
				return
			}
		}
	}()
	return f
}

// add hands over the chunks of a batch, which it releases.
func (f *feed) add(c *conn, s *schema, rec arrow.RecordBatch) error {
	defer rec.Release()
	n := int(rec.NumRows())
	for from := 0; from < n; from += maxChunkRows {
		chunk, err := newPiece(c, s, rec, from, min(n, from+maxChunkRows))
		if err != nil {
			return err
		}
		select {
		case f.chunks <- chunk:
		case <-f.ctx.Done():
			C.kalam_chunk_release(chunk)
			return query.Canceled(f.ctx)
		}
	}
	return nil
}

// end stops the making, waits for it, and returns why it failed, if it did.
func (f *feed) end() error {
	f.cancel()
	for chunk := range f.chunks {
		C.kalam_chunk_release(chunk)
	}
	return f.err
}

// kalamNextChunk returns the next chunk of a feed, which the caller releases, or
// nil at the end. An error's text, which the caller frees, goes to msg.
//
//export kalamNextChunk
func kalamNextChunk(handle C.uintptr_t, msg **C.char) *C.kalam_chunk {
	f := cgo.Handle(handle).Value().(*feed)
	select {
	case chunk, more := <-f.chunks:
		if !more && f.err != nil {
			*msg = C.CString(f.err.Error())
		}
		return chunk
	case <-f.ctx.Done():
		*msg = C.CString("the statement was cancelled")
		return nil
	}
}
