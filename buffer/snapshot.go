package buffer

import (
	"context"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

// TableScope is a scope to read, with the definition of its table to read it by.
type TableScope struct {
	Table *kalam.Table
	Scope kalam.Scope
}

// Snapshot is one consistent state of some scopes, log and lake. Nothing it
// shows changes, whatever is written, flushed, trimmed or dropped. It and its
// views are safe for concurrent use. Release ends it.
type Snapshot struct {
	store  *Store
	seq    kalam.Seq
	views  []*View
	scopes []*scope

	mu       sync.Mutex // guards what follows
	records  []arrow.RecordBatch
	owned    []*memtable.Memtable // Of the Writes on top of its views.
	released bool
}

// Snapshot fixes the present state of the scopes: every commit up to one seq, in
// all of them. The caller calls Release. Errors: CodeCorrupt names the scope that
// is damaged, CodeTableNotFound a table that was dropped.
func (s *Store) Snapshot(ctx context.Context, scopes []TableScope) (*Snapshot, error) {
	snap := &Snapshot{store: s, views: make([]*View, len(scopes)), scopes: make([]*scope, 0, len(scopes))}
	for _, ts := range scopes {
		sc, err := s.acquire(ctx, ts.Table, ts.Scope)
		if err != nil {
			for _, sc := range snap.scopes {
				s.release(sc)
			}
			return nil, err
		}
		snap.scopes = append(snap.scopes, sc)
	}
	s.countReaders(scopes, 1)
	s.visibility.RLock()
	defer s.visibility.RUnlock()
	snap.seq = s.visible
	for i, sc := range snap.scopes {
		sc.mem.Retain()
		pinLake(sc.lake)
		snap.views[i] = &View{
			snap: snap, table: scopes[i].Table, scope: sc.id,
			mem: sc.mem, shown: sc.mem.Published, lake: sc.lake,
		}
	}
	return snap, nil
}

// countReaders adds n for each scope to the readers of its table.
func (s *Store) countReaders(scopes []TableScope, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ts := range scopes {
		if s.reading[ts.Scope.Table] += n; s.reading[ts.Scope.Table] == 0 {
			delete(s.reading, ts.Scope.Table)
		}
	}
}

// Readers returns how many views of a table open snapshots have. A table that was
// dropped gets no more of them: when there is none left, its segments may go.
func (s *Store) Readers(n kalam.TableNumber) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reading[n]
}

// Seq returns the seq of the newest commit that the snapshot shows. Changes above
// it are not in the snapshot, those up to it are.
func (s *Snapshot) Seq() kalam.Seq { return s.seq }

// View returns what the snapshot shows of the scope at index i of its request.
func (s *Snapshot) View(i int) *View { return s.views[i] }

// Release ends the snapshot and the batches of its views. It may be called twice.
func (s *Snapshot) Release() {
	s.mu.Lock()
	if s.released {
		s.mu.Unlock()
		return
	}
	s.released = true
	records, owned := s.records, s.owned
	s.records, s.owned = nil, nil
	s.mu.Unlock()
	for _, r := range records {
		r.Release()
	}
	for _, m := range owned {
		m.Release()
	}
	scopes := make([]TableScope, len(s.views))
	for i, v := range s.views {
		v.mem.Release()
		s.store.unpinLake(s.scopes[i], v.lake)
		scopes[i] = TableScope{Table: v.table, Scope: v.scope}
	}
	s.store.countReaders(scopes, -1)
	for _, sc := range s.scopes {
		s.store.release(sc)
	}
}

// keep makes a record live until Release.
func (s *Snapshot) keep(r arrow.RecordBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		r.Release()
		return
	}
	s.records = append(s.records, r)
}

// own makes Release release a memtable.
func (s *Snapshot) own(m *memtable.Memtable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return errReleased()
	}
	s.owned = append(s.owned, m)
	return nil
}

// live returns an error after Release.
func (s *Snapshot) live() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return errReleased()
	}
	return nil
}

func errReleased() error {
	return kalam.Errorf(kalam.CodeInternal, "a snapshot was read after its release")
}
