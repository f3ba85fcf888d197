package worker

// #include "scan.h"
import "C"

import (
	"unsafe"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// statementSources hands the inputs of a statement to the functions in C. The
// caller releases the result.
func statementSources(c *conn, cache *chunkCache, inputs []query.Input, schemas []*schema) (*C.kalam_sources, error) {
	out := C.kalam_sources_new(C.idx_t(len(inputs)))
	if out == nil {
		return nil, errNoMemory
	}
	for i := range inputs {
		err := setBatches(out, i, c, cache, &inputs[i], schemas[i])
		if err == nil {
			err = setDead(out, i, &inputs[i])
		}
		if err != nil {
			C.kalam_sources_release(out)
			return nil, err
		}
	}
	return out, nil
}

// parts collects the arguments of kalam_sources_set.
type parts struct {
	chunks []*C.kalam_chunk
	live   []uint32
	end    []uint32
	whole  []bool
}

func setBatches(out *C.kalam_sources, i int, c *conn, cache *chunkCache, in *query.Input, s *schema) error {
	if !in.Scan {
		return nil
	}
	p := parts{}
	defer func() { releaseChunks(p.chunks) }()
	for _, b := range in.Batches {
		if b.Live != nil && len(b.Live) == 0 || b.Record.NumRows() == 0 {
			continue
		}
		pieces, err := cache.chunksOf(c, s, &b)
		if err != nil {
			return err
		}
		if err := p.add(pieces, b); err != nil {
			return err
		}
	}
	ok := C.kalam_sources_set(out, C.idx_t(i), s.c, C.idx_t(len(p.chunks)),
		first(p.chunks), (*C.uint32_t)(first(p.live)), (*C.uint32_t)(first(p.end)), (*C.bool)(first(p.whole)))
	if !ok {
		return errNoMemory
	}
	return nil
}

// add adds the pieces of a batch, which it takes over, with their shares of the
// live rows.
func (p *parts) add(pieces []*C.kalam_chunk, b query.Batch) error {
	p.chunks = append(p.chunks, pieces...)
	live, rows := b.Live, uint32(b.Record.NumRows())
	for k := range pieces {
		from := uint32(k * maxChunkRows)
		end := min(from+maxChunkRows, rows)
		for len(live) > 0 && live[0] >= from && live[0] < end {
			p.live = append(p.live, live[0]-from)
			live = live[1:]
		}
		p.end = append(p.end, uint32(len(p.live)))
		p.whole = append(p.whole, b.Live == nil)
	}
	if len(live) > 0 { // The scan does not check them again.
		return kalam.Errorf(kalam.CodeInternal, "live row %d of a batch of %d rows is out of order or range", live[0], rows)
	}
	return nil
}

func setDead(out *C.kalam_sources, i int, in *query.Input) error {
	if in.Dead == nil {
		return nil
	}
	var dead, end []uint32
	for _, d := range in.Dead {
		if d != nil {
			dead = append(dead, d.ToArray()...)
		}
		end = append(end, uint32(len(dead)))
	}
	if !C.kalam_sources_dead(out, C.idx_t(i), C.idx_t(len(end)), (*C.uint32_t)(first(dead)), (*C.uint32_t)(first(end))) {
		return errNoMemory
	}
	return nil
}

// first returns the address of the first element, nil when there is none.
func first[T any](s []T) *T { return unsafe.SliceData(s) }
