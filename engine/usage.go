package engine

import "github.com/kalamlake/kalam"

// hold keeps t from being removed until the request ends. A table that was
// dropped before that is not found.
func (s *session) hold(t *kalam.Table) error {
	for _, n := range s.held {
		if n == t.Number {
			return nil
		}
	}
	s.e.refs.Acquire(t.Number)
	if _, ok := s.e.catalog.TableByNumber(t.Number); !ok {
		s.e.refs.Release(t.Number)
		return tableNotFound(t.ID)
	}
	s.held = append(s.held, t.Number)
	return nil
}

// letGo ends every hold of the session.
func (s *session) letGo() {
	for _, n := range s.held {
		s.e.refs.Release(n)
	}
	s.held = nil
}
