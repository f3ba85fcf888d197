package recovery

import (
	"bytes"
	"container/heap"
	"context"
	"iter"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
)

// each yields the keys of a source in their order. A key is valid until the next.
func (s *keySource) each(ctx context.Context) iter.Seq2[keyindex.Entry, error] {
	return func(yield func(keyindex.Entry, error) bool) {
		if s.side == nil {
			for _, k := range s.keys {
				if !yield(k, nil) {
					return
				}
			}
			return
		}
		stopped := false
		_, err := s.side.Each(ctx, nil, func(k keyindex.Entry) error {
			if !yield(k, nil) {
				stopped = true
				return context.Canceled
			}
			return nil
		})
		if err != nil && !stopped {
			yield(keyindex.Entry{}, err)
		}
	}
}

// Range returns the lowest and the highest key.
func (s *keySource) keyRange(ctx context.Context) (low, high []byte, err error) {
	first := true
	for k, err := range s.each(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if first {
			low, first = bytes.Clone(k.Key), false
		}
		high = append(high[:0], k.Key...)
	}
	if first {
		return nil, nil, integrity.Corrupt(s.file.Segment.Path, "it has no keys")
	}
	return low, high, nil
}

// keyVersion is one version of a key in a source.
type keyVersion struct {
	source int
	row    uint32
	seq    kalam.Seq
}

// cursor is where a merge is in one source.
type cursor struct {
	source int
	at     keyindex.Entry
	next   func() (keyindex.Entry, error, bool)
	stop   func()
}

// cursors is a heap by key.
type cursors []*cursor

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return bytes.Compare(c[i].at.Key, c[j].at.Key) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Push implements heap.Interface.
func (c *cursors) Push(x any) { *c = append(*c, x.(*cursor)) }

// Pop implements heap.Interface.
func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// eachKey calls visit with the versions of each key, one per source that has it, in
// no order. The slice is valid during the call.
func eachKey(ctx context.Context, sources []*keySource, visit func([]keyVersion)) error {
	var open cursors
	defer func() {
		for _, c := range open {
			c.stop()
		}
	}()
	for i, s := range sources {
		next, stop := iter.Pull2(s.each(ctx))
		c := &cursor{source: i, next: next, stop: stop}
		open = append(open, c)
		if ok, err := c.advance(); err != nil {
			return err
		} else if !ok {
			return integrity.Corrupt(s.file.Segment.Path, "it has no keys")
		}
	}
	heap.Init(&open)
	var key []byte
	var versions []keyVersion
	for len(open) > 0 {
		key = append(key[:0], open[0].at.Key...)
		versions = versions[:0]
		for len(open) > 0 && bytes.Equal(open[0].at.Key, key) {
			c := open[0]
			versions = append(versions, keyVersion{c.source, c.at.Row, c.at.Seq})
			ok, err := c.advance()
			if err != nil {
				return err
			}
			if ok {
				heap.Fix(&open, 0)
			} else {
				heap.Pop(&open)
			}
		}
		visit(versions)
	}
	return nil
}

// advance moves to the next key; false at the end.
func (c *cursor) advance() (bool, error) {
	k, err, ok := c.next()
	if err != nil {
		c.stop()
		return false, err
	}
	c.at = k
	if !ok {
		c.stop()
	}
	return ok, nil
}

// winner returns the seq of the version of a key that counts, 0 when none does: the
// newest of those that are not known to be dead.
func (a *adoption) winner(versions []keyVersion) (newest kalam.Seq) {
	for _, v := range versions {
		if v.seq > newest && !a.isDead(v, versions) {
			newest = v.seq
		}
	}
	return newest
}

// isDead reports whether somebody who knows all that counted in the time of v knows no
// such version: a complete manifest.json, up to its last seq, or a compaction, in the
// range of what it replaces.
func (a *adoption) isDead(v keyVersion, versions []keyVersion) bool {
	if a.manifest.complete() && v.seq <= a.manifest.last && !a.sources[v.source].named {
		if !slices.ContainsFunc(versions, func(o keyVersion) bool { return a.sources[o.source].named && o.seq >= v.seq }) {
			return true
		}
	}
	for _, c := range a.compactions {
		if !a.sources[c].file.replaces.Has(v.seq) {
			continue
		}
		if !slices.ContainsFunc(versions, func(o keyVersion) bool { return o.source == c && o.seq >= v.seq }) {
			return true
		}
	}
	return false
}

// weigh finds what each choice of segments has to hold.
func (a *adoption) weigh(ctx context.Context) (*choice, error) {
	c := newChoice(len(a.sources))
	a.compactions = a.compactions[:0]
	for i, s := range a.sources {
		if s.file.replaces.To > 0 {
			a.compactions = append(a.compactions, i)
		}
	}
	blocked := make([]bool, len(a.sources))
	holders, older := c.newSet(), c.newSet()
	err := eachKey(ctx, a.sources, func(versions []keyVersion) {
		newest := a.winner(versions)
		if newest == 0 {
			return
		}
		clear(holders)
		clear(older)
		tombstone, held := false, false
		for _, v := range versions {
			s := a.sources[v.source]
			switch {
			case v.seq != newest && s.damage == nil:
				older.add(v.source)
			case v.seq == newest && s.damage == nil:
				holders.add(v.source)
				held = true
				tombstone = s.tombstones.Contains(v.row)
			}
		}
		if held {
			c.need(holders, older, tombstone)
			return
		}
		for _, v := range versions {
			if v.seq == newest {
				blocked[v.source] = true
			}
		}
	})
	for i := range blocked {
		if blocked[i] {
			c.blocked = append(c.blocked, i)
		}
	}
	return c, err
}

// findDead marks the rows of the chosen files that do not count. A row that the keys
// do not name is an older version of one in the same file.
func (a *adoption) findDead(ctx context.Context) error {
	living := make([]*roaring.Bitmap, len(a.sources))
	for i := range living {
		living[i] = roaring.New()
	}
	err := eachKey(ctx, a.sources, func(versions []keyVersion) {
		newest := a.winner(versions)
		holder := -1
		for i, v := range versions {
			if v.seq != newest || !a.sources[v.source].chosen {
				continue
			}
			if holder < 0 || v.source < versions[holder].source { // Of files that overlap, one.
				holder = i
			}
		}
		if holder >= 0 {
			living[versions[holder].source].Add(versions[holder].row)
		}
	})
	for i, s := range a.sources {
		if s.chosen {
			s.dead = roaring.New()
			s.dead.AddRange(0, uint64(s.file.Segment.Rows))
			s.dead.AndNot(living[i])
		}
	}
	return err
}
