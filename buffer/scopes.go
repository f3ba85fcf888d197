package buffer

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// acquire pins a scope and loads it. The caller calls release.
func (s *Store) acquire(ctx context.Context, t *kalam.Table, id kalam.Scope) (*scope, error) {
	sc, err := s.pin(t, id)
	if err != nil {
		return nil, err
	}
	err = s.loadScope(ctx, sc)
	if err == nil && sc.barred.Load() {
		err = sc.goneErr()
	} else if err == nil && sc.stale.Load() {
		err = dropped(t)
	}
	if err == nil {
		return sc, nil
	}
	s.release(sc)
	if kalam.CodeOf(err) == kalam.CodeCorrupt {
		return nil, kalam.Wrap(kalam.CodeCorrupt, err, "rows of user '%s' in table '%s' are damaged", id.User, t.ID)
	}
	return nil, err
}

// pin keeps a scope in memory. The errors are those of a table that was dropped, and of a user
// who is barred.
func (s *Store) pin(t *kalam.Table, id kalam.Scope) (*scope, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, gone := s.dropped[id.Table]; gone {
		return nil, dropped(t)
	}
	if _, barred := s.barred[id.User]; barred {
		return nil, userBarred(id.User)
	}
	sc, ok := s.scopes[id]
	if !ok {
		sc = &scope{id: id}
		s.scopes[id] = sc
	}
	sc.pins++
	s.leaveLRULocked(sc)
	return sc, nil
}

// retain pins a scope that is pinned already.
func (s *Store) retain(sc *scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc.pins++
}

func (s *Store) leaveLRULocked(sc *scope) {
	if sc.elem != nil {
		s.lru.Remove(sc.elem)
		s.hot -= sc.size
		sc.elem = nil
	}
}

// release unpins a scope; scopes that were not used for the longest time leave
// memory when they take more than HotBytes together. The last one used stays
// even if it takes more alone: its next use would have to load it again.
func (s *Store) release(sc *scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc.pins--
	if sc.pins > 0 {
		return
	}
	if s.scopes[sc.id] != sc { // Dropped: nobody can find it any more.
		if sc.loaded.Load() {
			sc.mem.Release()
		}
		return
	}
	if !sc.loaded.Load() {
		delete(s.scopes, sc.id)
		return
	}
	sc.size = sc.memory()
	sc.elem = s.lru.PushFront(sc)
	s.hot += sc.size
	for s.hot > s.opts.HotBytes && s.lru.Len() > 1 {
		old := s.lru.Back().Value.(*scope)
		s.leaveLRULocked(old)
		delete(s.scopes, old.id)
		old.mem.Release()
	}
}

// discardLocked takes a scope out of memory for good. The caller holds mu.
func (s *Store) discardLocked(sc *scope) {
	sc.stale.Store(true)
	delete(s.scopes, sc.id)
	if sc.elem != nil {
		s.leaveLRULocked(sc)
		sc.mem.Release()
	}
}

// loadScope reads the record and the log of a pinned scope. No commit can
// touch the scope meanwhile: a writer pins and loads before it is queued.
func (s *Store) loadScope(ctx context.Context, sc *scope) error {
	if sc.loaded.Load() {
		return nil
	}
	sc.loading.Lock()
	defer sc.loading.Unlock()
	if sc.loaded.Load() {
		return nil
	}
	l, err := s.readRecord(ctx, sc.id)
	if err != nil {
		return err
	}
	mem := memtable.New(s.opts.Dropped)
	last := l.Watermark
	start, end := rowlog.BlockKey(sc.id, l.Watermark+1), rowlog.PrefixEnd(rowlog.ScopePrefix(sc.id))
	err = s.backend.Scan(ctx, rowlog.KeyspaceRows, start, end, func(key, value []byte) error {
		_, first, err := rowlog.SplitBlockKey(key)
		if err != nil {
			return kalam.Wrap(kalam.CodeCorrupt, err, "row log of table %d, user '%s' is damaged", sc.id.Table,
				sc.id.User)
		}
		before, err := rowlog.DecodeBlock(sc.id, first, append([]byte(nil), value...), mem.Add)
		if err != nil {
			return err
		}
		if before != last {
			return rowlog.DamagedBlock(sc.id, first,
				fmt.Sprintf("it follows version %d, but the one before it is %d", before, last))
		}
		last = mem.Last(last)
		return nil
	})
	if err != nil {
		return fmt.Errorf("load row log: %w", err)
	}
	mem.Publish()
	s.visibility.Lock()
	sc.mem, sc.lake = mem, l
	s.visibility.Unlock()
	sc.loaded.Store(true)
	return nil
}

func (s *Store) readRecord(ctx context.Context, id kalam.Scope) (*lakeState, error) {
	return readRecord(ctx, s.backend, id)
}

// readRecord returns the manifest of record of a scope, an empty one when it has none.
func readRecord(ctx context.Context, from Reader, id kalam.Scope) (*lakeState, error) {
	raw, err := from.Get(ctx, rowlog.KeyspaceRecords, rowlog.ScopePrefix(id))
	if errors.Is(err, ErrKeyNotFound) {
		return &lakeState{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest of record: %w", err)
	}
	return decodeRecord(id, raw)
}
