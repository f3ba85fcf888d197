package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/shm"
	"github.com/kalamlake/kalam/query/wire"
)

// fed is a batch of a feed, or how it ended.
type fed struct {
	rec arrow.RecordBatch
	err error // io.EOF after the last batch.
}

// intake receives the batches of a copy. They lie in pages that the server fills again when it
// is told that they are free.
type intake struct {
	conn    *process.Conn
	call    uint32
	batches chan fed

	mu    sync.Mutex // guards what follows, and that nothing is sent once over is set
	over  bool
	views [wire.FeedAhead]*shm.View
}

func newIntake(conn *process.Conn, call uint32) *intake {
	// The server sends as much as FeedAhead before it waits, and the end.
	return &intake{conn: conn, call: call, batches: make(chan fed, wire.FeedAhead+2)}
}

// receive takes a frame of the server.
func (in *intake) receive(f process.Frame) {
	if f.Call != in.call { // That copy has ended.
		f.CloseFiles()
		return
	}
	b := in.read(f)
	in.mu.Lock()
	over := in.over
	if !over {
		in.batches <- b
	}
	in.mu.Unlock()
	if over && b.rec != nil {
		b.rec.Release()
	}
}

// read reads a frame.
func (in *intake) read(f process.Frame) fed {
	r := wire.NewReader(f.Payload)
	if f.Kind == wire.FeedEnd {
		if r.Bool() {
			return fed{err: r.Error()}
		}
		return fed{err: io.EOF}
	}
	place, n := r.Uint(), r.Uint()
	if err := r.Err(); err != nil || place >= wire.FeedAhead {
		f.CloseFiles()
		return fed{err: errors.Join(kalam.Errorf(kalam.CodeInternal, "the server put a batch in place %d", place), err)}
	}
	view, err := in.view(place, f)
	if err != nil {
		return fed{err: err}
	}
	rec, err := view.Batch(int(n), func() { in.free(place) })
	return fed{rec: rec, err: err}
}

// view returns the page of a place, which the file of the frame holds if it is a new one.
func (in *intake) view(place uint64, f process.Frame) (_ *shm.View, err error) {
	defer f.CloseFiles()
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.over {
		return nil, fmt.Errorf("the copy has ended")
	}
	if len(f.Files) > 0 {
		v, err := shm.MapPage(f.Files[0])
		if err != nil {
			return nil, err
		}
		if old := in.views[place]; old != nil {
			_ = old.Close() // A mapping that is one always ends.
		}
		in.views[place] = v
	}
	if in.views[place] == nil {
		return nil, kalam.Errorf(kalam.CodeInternal, "the server put a batch in place %d, which has no page", place)
	}
	return in.views[place], nil
}

// free tells the server that it can fill the page of a place again.
func (in *intake) free(place uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.over {
		return
	}
	var b wire.Buffer
	b.Uint(place)
	// Without a server the process ends, see server.receive.
	_ = in.conn.Write(process.Frame{Kind: wire.Fed, Call: in.call, Payload: b.B})
}

// end lets go of all that was received. The server is told of nothing more.
func (in *intake) end() {
	in.mu.Lock()
	in.over = true
	views := in.views
	in.views = [wire.FeedAhead]*shm.View{}
	in.mu.Unlock()
	for len(in.batches) > 0 {
		if b := <-in.batches; b.rec != nil {
			b.rec.Release()
		}
	}
	for _, v := range views {
		if v != nil {
			_ = v.Close() // A mapping that is one always ends.
		}
	}
}

// take yields the batches until they or ctx end, and returns why.
func (in *intake) take(ctx context.Context, yield func(arrow.RecordBatch, error) bool) error {
	for {
		var b fed
		select {
		case b = <-in.batches:
		case <-ctx.Done():
			return query.Canceled(ctx)
		}
		switch {
		case errors.Is(b.err, io.EOF):
			return nil
		case b.err != nil:
			yield(nil, b.err)
			return b.err
		case !yield(b.rec, nil):
			return nil
		}
	}
}
