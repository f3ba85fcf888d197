package buffer

import (
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// write is the request of one Apply.
type write struct {
	now    func() time.Time
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

// afterCommit counts the write and collects its changes.
func (w *write) afterCommit(c *committer) {
	s := c.store
	s.counters.commits.Add(1)
	for n, sc := range w.scopes {
		mem := sc.mem
		if mem.Len() == w.marks[n] {
			continue
		}
		var bytes int64
		for i := w.marks[n]; i < mem.Len(); i++ {
			bytes += mem.At(i).Size()
		}
		added := int64(mem.Len() - w.marks[n])
		s.counters.rows.Add(added)
		s.backlog.Add(sc.id, added, bytes, mem.At(w.marks[n]).Seq)
	}
	if s.opts.Publish != nil {
		c.changes = w.changes(c.changes, s.opts.Interested)
	}
}

func (w *write) touched() []*scope { return w.scopes }

// counted is a counter of a write and the value that it holds.
type counted struct {
	counter *counter
	value   int64
}

// flushed is what the lake holds of the key of a mutation, found before the
// mutation is queued.
type flushed struct {
	checked bool
	live    bool
	seq     kalam.Seq     // Of the live row, for updates and deletes.
	row     rowlog.RowRef // That the mutation would replace.
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
