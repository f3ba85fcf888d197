package pool

import (
	"errors"
	"os"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/shm"
	"github.com/kalamlake/kalam/query/wire"
)

// sendStatement sends the frame of a statement, which begins with b.
func (c *call) sendStatement(kind byte, b *wire.Buffer, st *query.Statement) error {
	if err := c.put(b, st); err != nil {
		return err
	}
	if err := c.lend(st.Params); err != nil {
		return err
	}
	return c.send(kind, b.B)
}

// put appends a statement after it has sent the batches that the worker does not have.
func (c *call) put(b *wire.Buffer, st *query.Statement) error {
	c.w.evict()
	loaded := make([][]wire.Batch, len(st.Inputs))
	for i := range st.Inputs {
		in := &st.Inputs[i]
		if !in.Scan {
			continue
		}
		for k := range in.Batches {
			batch := &in.Batches[k]
			if batch.Live != nil && len(batch.Live) == 0 || batch.Record.NumRows() == 0 {
				continue
			}
			l, err := c.load(batch)
			if err != nil {
				return err
			}
			loaded[i] = append(loaded[i], l)
		}
	}
	return b.PutStatement(st, loaded, &c.pool.schemas)
}

// load sends a batch unless the worker has it, and returns its name.
func (c *call) load(batch *query.Batch) (wire.Batch, error) {
	w, id := c.w, batch.ID
	keep := c.pool.batches.lasts(id)
	l := wire.Batch{Load: id, ID: id, Live: batch.Live}
	if !keep {
		l.Load, l.ID = onceFrom+c.pool.lastOnce.Add(1), 0
	}
	w.mu.Lock()
	_, has := w.has.Get(l.Load)
	w.mu.Unlock()
	if has {
		return l, nil
	}
	size, err := c.sendBatch(l.Load, !keep, batch.Record)
	if err != nil || !keep {
		return l, err
	}
	w.mu.Lock()
	w.has.Add(id, size)
	w.bytes += size
	w.mu.Unlock()
	if !c.pool.batches.lasts(id) { // It was forgotten meanwhile, and nobody has told the worker.
		w.forget(id)
		return c.load(batch)
	}
	return l, nil
}

// sendBatch sends a batch in its frame or, if it is large, as memory that is shared.
func (c *call) sendBatch(number uint64, once bool, rec arrow.RecordBatch) (size int64, err error) {
	f := process.Frame{Kind: wire.Load}
	var b wire.Buffer
	b.Uint(number)
	b.Bool(once)
	if size = bytesOf(rec); size < inlineBytes {
		p, err := wire.EncodeBatch(rec)
		if err != nil {
			return 0, err
		}
		f.Payload = append(b.B, p...)
		return size, c.w.proc.Conn().Write(f)
	}
	f.Payload = b.B
	if once {
		file, err := shm.Write(rec)
		if err != nil {
			return 0, err
		}
		f.Files = []*os.File{file}
		err = c.w.proc.Conn().Write(f)
		_ = file.Close() // The worker has it.
		return size, err
	}
	shared, err := c.pool.batches.get(number, rec)
	if err != nil {
		return 0, err
	}
	defer c.pool.batches.release(shared)
	f.Files = []*os.File{shared.file}
	return shared.bytes, c.w.proc.Conn().Write(f)
}

// evict has the worker let go of the batches that were not used for longest, if it keeps
// too many.
func (w *worker) evict() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []uint64
	for w.bytes > workerBytes {
		id, size, ok := w.has.RemoveOldest()
		if !ok {
			break
		}
		w.bytes -= size
		ids = append(ids, id)
	}
	if len(ids) > 0 {
		w.drop(ids)
	}
}

// unsent ends a call that could not be sent for err.
func (c *call) unsent(err error) error {
	var ke *kalam.Error
	broken := !errors.As(err, &ke) // Else it is about what was to be sent.
	if broken {
		err = c.lost(err)
	}
	c.finish(err, broken)
	return err
}
