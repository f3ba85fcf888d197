package buffer

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// maxRechecks bounds how often a write looks up its keys in the lake again
// because a flush or compaction of its scope was committed meanwhile.
const maxRechecks = 100

// errRecheck tells the writer that its lookups in the lake do not hold any more.
var errRecheck = errors.New("lake lookups are out of date")

// write is the request of one Apply.
type write struct {
	muts   []Mutation
	scopes []*scope     // Distinct and pinned.
	of     []int32      // Scope of each mutation; nil when there is one scope only.
	states []*lakeState // Of each scope, as the lookups saw it.
	lake   []flushed    // What the lookups found; nil when no scope has segments.
	size   int64        // Bound of the bytes of its blocks.
	blocks int          // Bound of their number.
	expect []int        // Likely bytes of each scope's blocks.
	counts []counted    // Pinned.

	seqs  []kalam.Seq // Of each mutation, 0 where it was skipped.
	marks []int       // Length of each scope's memtable before the write.
}

// scopeOf returns the index of the scope of mutation i.
func (w *write) scopeOf(i int) int {
	if w.of == nil {
		return 0
	}
	return int(w.of[i])
}

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
	if err := s.waitForRoom(ctx); err != nil {
		return nil, err
	}
	w := &write{muts: muts}
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

// bound computes how much the write can take in a batch.
func (w *write) bound() {
	w.expect = make([]int, len(w.scopes))
	for i := range w.muts {
		w.size += int64(rowlog.MaxEntrySize(w.muts[i].Key, w.muts[i].Payload))
		w.expect[w.scopeOf(i)] += rowlog.LikelyEntrySize(w.muts[i].Key, w.muts[i].Payload)
	}
	perBlock := int64(rowlog.BlockHeader + rowlog.MaxKey)
	w.blocks = int(w.size/rowlog.MaxBlockBytes) + len(w.scopes)
	w.size += int64(w.blocks)*perBlock + int64(len(w.counts))*(rowlog.MaxKey+rowlog.CounterBytes)
}

// request wraps the write for the queue. A write that does not fit into one batch
// of the backend is committed alone.
func (w *write) request(l Limits) *request {
	r := &request{work: w, size: w.size, count: w.size, ops: w.blocks + len(w.counts)}
	if l.Large > 0 && l.Large <= rowlog.MaxBlockBytes { // Closed blocks are large; an open one may be just below.
		keys, counters := int64(w.blocks)*rowlog.MaxKey, int64(len(w.counts))*(rowlog.MaxKey+rowlog.CounterBytes)
		r.count = min(w.size, keys+int64(len(w.scopes))*l.Large+counters)
	}
	r.alone = r.count > l.Bytes-spareBytes || r.ops > l.Ops-spareOps
	return r
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
		live, seq = !cur.Tombstone, cur.Seq
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

// tableOf returns the table of scope n.
func (w *write) tableOf(n int) *kalam.Table {
	for i := range w.muts {
		if w.scopeOf(i) == n {
			return w.muts[i].Table
		}
	}
	return w.muts[0].Table
}

// rollback takes back what stage added.
func (w *write) rollback() {
	for n, sc := range w.scopes {
		sc.mem.Undo(w.marks[n])
	}
}

// publish makes the versions visible. The caller holds Store.visibility.
func (w *write) publish() {
	for _, sc := range w.scopes {
		sc.mem.Publish()
	}
}

// changes appends the changes of the scopes that somebody listens to: of each row
// what the commit did to it as a whole, however often the write touched it.
func (w *write) changes(dst []kalam.Change, interested func(kalam.Scope) bool) []kalam.Change {
	wanted := make([]bool, len(w.scopes))
	any := false
	for n, sc := range w.scopes {
		wanted[n] = interested == nil || interested(sc.id)
		any = any || wanted[n]
	}
	if !any {
		return dst
	}
	next := append([]int(nil), w.marks...)
	began := make([]map[int]kalam.Change, len(w.scopes)) // By the index of a version, what led to it.
	last := w.lastSeq()
	for i := range w.muts {
		if w.seqs[i] == 0 {
			continue
		}
		n := w.scopeOf(i)
		at := next[n]
		next[n]++
		if !wanted[n] {
			continue
		}
		mem := w.scopes[n].mem
		v := mem.At(at)
		c := kalam.Change{Scope: w.scopes[n].id, Kind: w.muts[i].Kind, New: v.Row()}
		switch earlier, own := began[n][int(v.Prev)]; {
		case own:
			c.Kind, c.Old = afterwards(earlier.Kind, c.Kind), earlier.Old
		case c.Kind != kalam.ChangeInsert:
			c.Old = w.muts[i].Old
			if v.Prev >= 0 {
				c.Old = mem.At(int(v.Prev)).Row()
			}
		}
		if !v.Alive(last) {
			if began[n] == nil {
				began[n] = map[int]kalam.Change{}
			}
			began[n][at] = c
			continue
		}
		if c.Kind != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

// lastSeq returns the highest seq that the write took.
func (w *write) lastSeq() kalam.Seq {
	for i := len(w.seqs) - 1; i >= 0; i-- {
		if w.seqs[i] != 0 {
			return w.seqs[i]
		}
	}
	return 0
}

// afterwards returns what two changes of one row are as one; 0 is nothing: the
// row was not there before and is not there now.
func afterwards(first, then kalam.ChangeKind) kalam.ChangeKind {
	was := first == kalam.ChangeUpdate || first == kalam.ChangeDelete
	is := then != kalam.ChangeDelete
	switch {
	case was && is:
		return kalam.ChangeUpdate
	case was:
		return kalam.ChangeDelete
	case is:
		return kalam.ChangeInsert
	}
	return 0
}
