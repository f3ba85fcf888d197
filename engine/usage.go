package engine

import (
	"sync"

	"github.com/kalamlake/kalam"
)

// usage counts who reads or writes a table at the moment, so that the removal
// of a dropped table waits for them: a snapshot keeps its files, and no row is
// written to a table whose rows are being removed.
type usage struct {
	mu     sync.Mutex // guards tables
	tables map[kalam.TableNumber]int
}

func (u *usage) enter(n kalam.TableNumber) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tables == nil {
		u.tables = map[kalam.TableNumber]int{}
	}
	u.tables[n]++
}

func (u *usage) leave(n kalam.TableNumber) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tables[n]--; u.tables[n] == 0 {
		delete(u.tables, n)
	}
}

func (u *usage) busy(n kalam.TableNumber) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tables[n] > 0
}

// hold keeps t from being removed until the request ends. A table that was
// dropped before that is not found.
func (s *session) hold(t *kalam.Table) error {
	for _, n := range s.held {
		if n == t.Number {
			return nil
		}
	}
	s.e.usage.enter(t.Number)
	if _, ok := s.e.catalog.TableByNumber(t.Number); !ok {
		s.e.usage.leave(t.Number)
		return tableNotFound(t.ID.String())
	}
	s.held = append(s.held, t.Number)
	return nil
}

// letGo ends every hold of the session.
func (s *session) letGo() {
	for _, n := range s.held {
		s.e.usage.leave(n)
	}
	s.held = nil
}
