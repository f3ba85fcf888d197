package buffer

import (
	"context"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

// Counts are the figures of a scope, or of several summed.
type Counts struct {
	Live          int64 // Rows that a query sees.
	Buffered      int64 // Versions in the log above the watermark.
	BufferedBytes int64 // Their keys and payloads.
	Flushed       int64 // Rows of the segments, replaced ones and tombstones included.
	FlushedBytes  int64 // Size of the segments.
	Segments      int64
	LastFlush     time.Time // Zero when there was none.
}

// Add adds the figures of another scope.
func (c *Counts) Add(o Counts) {
	c.Live += o.Live
	c.Buffered += o.Buffered
	c.BufferedBytes += o.BufferedBytes
	c.Flushed += o.Flushed
	c.FlushedBytes += o.FlushedBytes
	c.Segments += o.Segments
	if o.LastFlush.After(c.LastFlush) {
		c.LastFlush = o.LastFlush
	}
}

// Counts returns the exact figures of a scope at one moment. Buffered rows from
// before since are not live; 0 counts all. It reads counters, the record and the
// delete vectors, and no row: only a scope with buffered rows that nobody has used
// since Open is loaded first. CodeTableNotFound when the table was dropped,
// CodeCorrupt when the scope is damaged.
func (s *Store) Counts(ctx context.Context, t *kalam.Table, id kalam.Scope, since kalam.Seq) (Counts, error) {
	if !s.isHot(id) {
		l, err := s.readRecord(ctx, id)
		if err != nil {
			return Counts{}, err
		}
		return l.counts(&memtable.Published{}, since), nil
	}
	sc, err := s.acquire(ctx, t, id)
	if err != nil {
		return Counts{}, err
	}
	defer s.release(sc)
	s.visibility.RLock()
	sh, l := sc.mem.Published, sc.lake
	s.visibility.RUnlock()
	return l.counts(&sh, since), nil
}

// isHot reports whether a scope is in memory or has buffered versions: when it is
// not, its record is all there is of it.
func (s *Store) isHot(id kalam.Scope) bool {
	s.mu.Lock()
	sc := s.scopes[id]
	s.mu.Unlock()
	return sc != nil || s.backlog.Has(id)
}

// counts returns the figures of a scope with the lake state l, of whose memtable
// sh is published.
func (l *lakeState) counts(sh *memtable.Published, since kalam.Seq) Counts {
	c := Counts{
		Live:          int64(sh.Live(since)),
		Buffered:      int64(sh.Len()),
		BufferedBytes: sh.Bytes(),
		Segments:      int64(len(l.Segments)),
		LastFlush:     l.lastFlush(),
	}
	if c.Segments == 0 {
		return c
	}
	dead := l.deadRows(sh)
	for i := range l.Segments {
		seg := &l.Segments[i]
		c.Flushed += seg.Rows
		c.FlushedBytes += seg.Bytes
		c.Live += seg.Rows
		switch tombstones := l.vectors[i].tombstones; {
		case dead[i] == nil && tombstones == nil:
		case tombstones == nil:
			c.Live -= int64(dead[i].GetCardinality())
		case dead[i] == nil:
			c.Live -= int64(tombstones.GetCardinality())
		default:
			c.Live -= int64(dead[i].OrCardinality(tombstones))
		}
	}
	return c
}
