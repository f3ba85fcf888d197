package buffer

// While a read point may still take views, a commit keeps the state of each scope that it
// changes, as it was before: one state for all points between two changes. A state goes when
// no such point is old enough to need it.

// at returns what the scope showed in an edition. The caller holds Store.visibility.
func (sc *scope) at(e edition) state {
	for _, p := range sc.past { // Few, the oldest first.
		if e < p.until {
			return p.state
		}
	}
	return state{sc.mem, sc.mem.Published, sc.lake}
}

// keepPast keeps the present state of a scope that is about to change, if a read point may
// need it. The caller holds Store.visibility for writing, and the scope pinned.
func (s *Store) keepPast(sc *scope) {
	since := edition(0)
	if n := len(sc.past); n > 0 {
		since = sc.past[n-1].until
	}
	if !s.points.from(since) {
		return
	}
	if len(sc.past) == 0 {
		s.retain(sc)
		s.changed[sc] = struct{}{}
		s.points.kept.Add(1)
	}
	now := state{sc.mem, sc.mem.Published, sc.lake}
	now.mem.Retain()
	pinLake(now.lake)
	sc.past = append(sc.past, pastState{now, s.edition + 1})
}

// leavePoint lets go of a read point, and of the past states that no other one needs.
func (s *Store) leavePoint(at edition) {
	if !s.points.remove(at) || s.points.kept.Load() == 0 {
		return
	}
	var gone []pastState
	var of, idle []*scope
	s.visibility.Lock()
	oldest := s.points.oldest()
	for sc := range s.changed {
		n := 0
		for n < len(sc.past) && sc.past[n].until <= oldest {
			gone, of = append(gone, sc.past[n]), append(of, sc)
			n++
		}
		if sc.past = sc.past[n:]; len(sc.past) == 0 {
			sc.past = nil
			delete(s.changed, sc)
			s.points.kept.Add(-1)
			idle = append(idle, sc)
		}
	}
	s.visibility.Unlock()
	for i, p := range gone {
		p.mem.Release()
		s.unpinLake(of[i], p.lake)
	}
	for _, sc := range idle {
		s.release(sc)
	}
}
