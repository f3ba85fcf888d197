package pool

import (
	"errors"
	"math/bits"
	"os"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/shm"
	"github.com/kalamlake/kalam/query/wire"
)

// framing is room in a page for what Arrow writes beside the values of a batch.
const framing = 16 << 10

// feeder sends the batches of a copy, each in a page that the worker reads in place.
type feeder struct {
	call  *call
	free  chan int // Places whose pages may be written.
	pages [wire.FeedAhead]*shm.Page
	done  chan struct{} // Closed when the copy has ended.
	err   error         // Why there are no more batches; to be read after feed.
}

// newFeeder returns a feeder, which the caller closes when feed has returned.
func newFeeder(c *call) *feeder {
	f := &feeder{call: c, free: make(chan int, wire.FeedAhead), done: make(chan struct{})}
	for place := range wire.FeedAhead {
		f.free <- place
	}
	return f
}

// close gives the memory back.
func (f *feeder) close() {
	for _, page := range f.pages {
		if page != nil {
			_ = page.Close() // It is memory of ours, whole: to unmap and close it cannot fail, and nothing of it is needed.
		}
	}
}

// freed takes a place that the worker has read.
func (f *feeder) freed(r *wire.Reader) error {
	place := r.Uint()
	if err := r.Err(); err != nil || place >= wire.FeedAhead {
		return errors.Join(kalam.Errorf(kalam.CodeInternal, "a query worker read a batch of place %d", place), err)
	}
	select {
	case f.free <- int(place):
		return nil
	default:
		return kalam.Errorf(kalam.CodeInternal, "a query worker read more batches than it got")
	}
}

// feed sends every batch, and how they ended.
func (f *feeder) feed(spec *query.Copy) {
	for rec, err := range spec.Batches {
		if err == nil {
			err = f.send(spec.Input.Schema.Arrow, rec)
			rec.Release()
		}
		if errors.Is(err, errCopied) {
			return
		}
		if err != nil {
			f.err = err
			break
		}
	}
	var b wire.Buffer
	b.Bool(f.err != nil)
	if f.err != nil {
		b.PutError(wire.Outermost(f.err))
	}
	// An error shows when the answer is read.
	_ = f.call.send(wire.FeedEnd, b.B)
}

// errCopied ends a feed whose copy has ended.
var errCopied = errors.New("the copy has ended")

// send sends a batch when there is a page for it.
func (f *feeder) send(s *arrow.Schema, rec arrow.RecordBatch) error {
	if int(rec.NumCols()) != s.NumFields() {
		return kalam.Errorf(kalam.CodeInternal, "a batch has %d columns, its source %d", rec.NumCols(), s.NumFields())
	}
	for i, col := range rec.Columns() {
		if !arrow.TypeEqual(col.DataType(), s.Field(i).Type) {
			return kalam.Errorf(kalam.CodeInternal,
				"column %s of a batch is %s, of its source %s", s.Field(i).Name, col.DataType(), s.Field(i).Type)
		}
	}
	var place int
	select {
	case place = <-f.free:
	case <-f.done:
		return errCopied
	}
	n, files, err := f.put(place, rec)
	if err != nil {
		return err
	}
	var b wire.Buffer
	b.Uint(uint64(place))
	b.Uint(uint64(n))
	if err := f.call.w.proc.Conn().Write(process.Frame{
		Kind: wire.Feed, Call: f.call.number, Payload: b.B, Files: files,
	}); err != nil {
		return errCopied // The answer says why.
	}
	return nil
}

// put writes a batch into the page of a place, or into a new one if it is too small, which is
// returned as file.
func (f *feeder) put(place int, rec arrow.RecordBatch) (n int, files []*os.File, err error) {
	if page := f.pages[place]; page != nil {
		if n, err = page.Put(rec); !errors.Is(err, shm.ErrFull) {
			return n, nil, err
		}
	}
	for size := framing + int(bytesOf(rec)); ; size *= 2 {
		page, err := shm.NewPage(1 << bits.Len(uint(size-1)))
		if err != nil {
			return 0, nil, err
		}
		if old := f.pages[place]; old != nil {
			_ = old.Close() // As in close; the worker has read it.
		}
		f.pages[place] = page
		if n, err = page.Put(rec); !errors.Is(err, shm.ErrFull) {
			return n, []*os.File{page.File()}, err
		}
	}
}
