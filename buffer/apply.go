package buffer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Apply commits mutations of any number of scopes and tables: all of them, or
// none. counts are the values of counters that they hold, one of each counter. It returns the seq of each, in their
// order, 0 for a skipped insert. On
// return the rows are durable and visible, and their changes were published.
//
// A canceled ctx ends the waiting for a place in a group; from then on the
// commit takes its course and Apply returns its outcome. Errors: a
// *DuplicateKeyError, or a *kalam.Error with CodeConflict (a row is not what its
// writer read), CodeResourceExhausted (disk or buffer full; nothing was
// written), CodeTableNotFound (dropped), CodeCorrupt (damage in one of the
// scopes) or CodeShuttingDown.
func (s *Store) Apply(ctx context.Context, muts []Mutation, counts ...Count) ([]kalam.Seq, error) {
	if len(muts) == 0 {
		return nil, ctx.Err()
	}
	if err := checkMutations(muts, s.limits); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("commit: %w", context.Cause(ctx))
	}
	began := time.Now()
	if err := s.waitForRoom(ctx); err != nil {
		return nil, err
	}
	w := &write{now: s.opts.Now, muts: muts}
	if err := s.pinScopes(ctx, w); err != nil {
		return nil, err
	}
	defer func() {
		for _, sc := range w.scopes {
			s.release(sc)
		}
	}()
	if err := s.pinCounts(ctx, w, counts); err != nil {
		return nil, err
	}
	defer s.unpinCounts(w)
	w.bound()
	for range maxRechecks {
		if err := s.lookUp(ctx, w); err != nil {
			return nil, err
		}
		err := s.submit(ctx, w.request(s.limits))
		if errors.Is(err, errRecheck) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.opts.Observer.Committed(time.Since(began))
		return w.seqs, nil
	}
	return nil, kalam.Errorf(kalam.CodeConflict,
		"table '%s' was flushed or compacted %d times while a statement wrote to it", muts[0].Table.ID, maxRechecks)
}

// pinScopes pins and loads the scopes of the mutations.
func (s *Store) pinScopes(ctx context.Context, w *write) error {
	var known map[kalam.Scope]int32
	for i := range w.muts {
		m := &w.muts[i]
		if i > 0 && m.Scope == w.muts[i-1].Scope {
			if w.of != nil {
				w.of = append(w.of, w.of[i-1])
			}
			continue
		}
		if i > 0 && known == nil {
			known = map[kalam.Scope]int32{w.muts[0].Scope: 0}
			w.of = make([]int32, i, len(w.muts))
		}
		if n, ok := known[m.Scope]; ok {
			w.of = append(w.of, n)
			continue
		}
		sc, err := s.acquire(ctx, m.Table, m.Scope)
		if err != nil {
			for _, sc := range w.scopes {
				s.release(sc)
			}
			w.scopes = nil
			return err
		}
		if known != nil {
			known[m.Scope] = int32(len(w.scopes))
			w.of = append(w.of, int32(len(w.scopes)))
		}
		w.scopes = append(w.scopes, sc)
	}
	return nil
}

// lookUp finds in the lake the keys that the log does not hold. It runs before
// the write is queued, so that the committer reads no file.
func (s *Store) lookUp(ctx context.Context, w *write) error {
	mems := make([]*memtable.Memtable, len(w.scopes))
	shown := make([]int, len(w.scopes))
	w.states = make([]*lakeState, len(w.scopes))
	segments := 0
	s.visibility.RLock()
	for n, sc := range w.scopes {
		mems[n], shown[n], w.states[n] = sc.mem, sc.mem.Published.Len(), sc.lake
		segments += len(sc.lake.Segments)
		pinLake(sc.lake)
	}
	s.visibility.RUnlock()
	defer func() {
		for n, sc := range w.scopes {
			s.unpinLake(sc, w.states[n])
		}
	}()
	w.lake = nil
	if segments == 0 {
		return nil
	}
	w.lake = make([]flushed, len(w.muts))
	which := make([][]int, len(w.scopes))
	for i := range w.muts {
		n := w.scopeOf(i)
		if len(w.states[n].Segments) > 0 && mems[n].IndexAt(w.muts[i].Key, shown[n]) < 0 {
			which[n] = append(which[n], i)
		}
	}
	for n := range which {
		if len(which[n]) == 0 {
			continue
		}
		if err := s.checkLake(ctx, w.states[n], w.muts, which[n], w.lake); err != nil {
			return err
		}
	}
	return nil
}

// stage checks the write against the versions of its scopes, staged ones
// included, and adds its own. On an error it leaves nothing.
func (w *write) stage(c *committer) error {
	w.marks = w.marks[:0]
	for n, sc := range w.scopes {
		if sc.barred.Load() {
			return sc.goneErr()
		}
		if sc.stale.Load() {
			return dropped(w.tableOf(n))
		}
		if sc.lake != w.states[n] {
			return errRecheck
		}
		w.marks = append(w.marks, sc.mem.Len())
	}
	writers := make([]rowlog.BlockWriter, len(w.scopes))
	for n, sc := range w.scopes {
		writers[n] = rowlog.NewBlockWriter(sc.id, sc.mem.Last(sc.lake.Watermark), w.expect[n])
	}
	w.seqs = make([]kalam.Seq, len(w.muts))
	seq := c.store.clock.Take(len(w.muts))
	for i := range w.muts {
		n := w.scopeOf(i)
		mem := w.scopes[n].mem
		hash := memtable.HashKey(w.muts[i].Key)
		add, superseded, err := w.check(i, mem, w.marks[n], hash)
		if err != nil {
			w.rollback()
			return err
		}
		if !add {
			continue
		}
		m := &w.muts[i]
		e, block, full := writers[n].Append(rowlog.Entry{
			Seq: seq, Tombstone: m.Kind == kalam.ChangeDelete, Key: m.Key, Payload: m.Payload,
		}, superseded)
		mem.AddHashed(e, superseded, hash)
		if full {
			c.putBlock(block)
		}
		w.seqs[i] = seq
		c.took(seq)
		seq = c.store.clock.After(seq)
	}
	for n := range writers {
		if writers[n].Open() {
			c.putBlock(writers[n].Seal())
		}
	}
	c.count(w.counts)
	return nil
}

// check decides whether mutation i may be added to mem, of which the versions from
// mark on are the write's own. superseded is the flushed row that it replaces.
func (w *write) check(
	i int, mem *memtable.Memtable, mark int, hash uint32,
) (add bool, superseded rowlog.RowRef, err error) {
	m := &w.muts[i]
	at := mem.Newest(m.Key, hash)
	live, seq := false, kalam.Seq(0)
	switch {
	case at >= 0:
		cur := mem.At(int(at))
		live, seq = !cur.Tombstone && !w.expired(m.Table, cur.Seq), cur.Seq
	case w.lake != nil && w.lake[i].checked:
		live, seq, superseded = w.lake[i].live, w.lake[i].seq, w.lake[i].row
	case len(w.states[w.scopeOf(i)].Segments) > 0:
		return false, superseded, errRecheck // The log held the key when the lookups were made, and it was undone.
	}
	if m.Own && int(at) < mark {
		return false, superseded, conflict(i, m.Table)
	}
	switch {
	case m.Kind == kalam.ChangeInsert && !live:
		return true, superseded, nil
	case m.Kind == kalam.ChangeInsert && m.SkipExisting:
		return false, superseded, nil
	case m.Kind == kalam.ChangeInsert && !m.Free:
		return false, superseded, duplicateKey(i, m.Table)
	case m.Kind != kalam.ChangeInsert && live && (m.Own || seq == m.Expect):
		return true, superseded, nil
	}
	return false, superseded, conflict(i, m.Table)
}

// expired reports whether the row of a STREAM table is older than those that there are: its key is free,
// whether or not it was evicted.
func (w *write) expired(t *kalam.Table, seq kalam.Seq) bool {
	return t.Expires() && seq < kalam.SeqAt(w.now().Add(-t.Options.TTL))
}

// tableOf returns the table of scope n.
func (w *write) tableOf(n int) *kalam.Table {
	for i := range w.muts {
		if w.scopeOf(i) == n {
			return w.muts[i].Table
		}
	}
	return w.muts[0].Table
}
