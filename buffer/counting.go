package buffer

import "context"

// NextCount returns the next value of a counter, the first is 1: above every value
// that it returned and that a committed write holds, and above floor. A value above
// limit is ErrCounterSpent, and nothing is taken. What is not committed leaves a
// gap, and after a restart may be returned again.
func (s *Store) NextCount(ctx context.Context, id CounterID, floor, limit int64) (int64, error) {
	c := s.counts.pin(id)
	defer s.counts.unpin(c)
	if err := c.load(ctx, s.backend); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := max(c.given, floor) + 1
	if next > limit || next <= floor {
		return 0, ErrCounterSpent
	}
	c.given = next
	return next, nil
}

// pinCounts keeps the counters of a write in memory, loaded, until unpinCounts.
func (s *Store) pinCounts(ctx context.Context, w *write, list []Count) error {
	for _, k := range list {
		c := s.counts.pin(k.ID)
		w.counts = append(w.counts, counted{c, k.Value})
		if err := c.load(ctx, s.backend); err != nil {
			s.unpinCounts(w)
			return err
		}
	}
	return nil
}

func (s *Store) unpinCounts(w *write) {
	for _, k := range w.counts {
		s.counts.unpin(k.counter)
	}
	w.counts = nil
}

// count takes down the values of a staged write.
func (c *committer) count(list []counted) {
	for _, k := range list {
		k.counter.mu.Lock()
		kept := k.counter.kept
		k.counter.mu.Unlock()
		if k.value <= max(kept, k.counter.pending) {
			continue
		}
		if k.counter.pending == 0 {
			c.counted = append(c.counted, k.counter)
		}
		k.counter.pending = k.value
	}
}

// putCounts adds what the group counted to its batch.
func (c *committer) putCounts() {
	for _, k := range c.counted {
		c.put(countOp(k.id, k.pending))
	}
}

// endCounts ends the counting of a group. A value that may or may not be on the disk
// does no harm there: the next commit writes over it or is below it.
func (c *committer) endCounts(committed bool) {
	for _, k := range c.counted {
		if committed {
			k.mu.Lock()
			k.kept = k.pending
			k.given = max(k.given, k.kept)
			k.mu.Unlock()
		}
		k.pending = 0
	}
	clear(c.counted)
	c.counted = c.counted[:0]
}
