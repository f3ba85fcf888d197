package buffer

// Segments that a compaction replaced must stay as long as somebody may read
// their files: a read point, or a lookup outside of one. Both pin the lake state
// they read by. The states of a scope follow each other, so the files that a
// state lacks may go when no state before it is pinned.

// pinLake keeps the files of a lake state. The caller holds Store.visibility, at
// least for reading, and later calls unpinLake.
func pinLake(l *lakeState) { l.pins.Add(1) }

// unpinLake ends a pin.
func (s *Store) unpinLake(sc *scope, l *lakeState) {
	if l.pins.Add(-1) > 0 || !l.obsolete.Load() {
		return
	}
	var due []func()
	s.obsoleteMu.Lock()
	for i, old := range sc.old {
		if old == l {
			sc.old = append(sc.old[:i:i], sc.old[i+1:]...)
			break
		}
	}
	for _, r := range l.waiting {
		if r.left--; r.left == 0 {
			due = append(due, r.done)
		}
	}
	l.waiting = nil
	s.obsoleteMu.Unlock()
	for _, done := range due {
		done()
	}
}

// markObsolete notes that l is not the newest state of the scope any more. The
// caller holds Store.visibility, so that it gets no more pins.
func (s *Store) markObsolete(sc *scope, l *lakeState) {
	s.obsoleteMu.Lock()
	defer s.obsoleteMu.Unlock()
	l.obsolete.Store(true)
	if l.pins.Load() > 0 {
		sc.old = append(sc.old, l)
	}
}

// whenUnread calls done, once, when no superseded state of the scope is pinned:
// now, or in the goroutine that ends the last pin.
func (s *Store) whenUnread(sc *scope, done func()) {
	s.obsoleteMu.Lock()
	r := &obsoleteFiles{left: len(sc.old), done: done}
	for _, l := range sc.old {
		l.waiting = append(l.waiting, r)
	}
	unread := r.left == 0
	s.obsoleteMu.Unlock()
	if unread {
		done()
	}
}
