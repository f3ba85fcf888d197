package buffer

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

// Begin fixes a read point at the newest commit. The caller calls Release, and Seal as soon as
// it has all views that it needs: until then the states of other scopes are kept, too.
func (s *Store) Begin() *ReadPoint {
	s.visibility.RLock()
	defer s.visibility.RUnlock()
	s.points.add(s.edition)
	return &ReadPoint{store: s, seq: s.visible, at: s.edition}
}

// Views fixes a read point and takes its views of the scopes, and no others. The caller calls
// Release. The errors are those of ReadPoint.View.
func (s *Store) Views(ctx context.Context, scopes []TableScope) (*ReadPoint, []*View, error) {
	p := s.Begin()
	views := make([]*View, len(scopes))
	for i, ts := range scopes {
		v, err := p.View(ctx, ts)
		if err != nil {
			p.Release()
			return nil, nil, err
		}
		views[i] = v
	}
	p.Seal()
	return p, views, nil
}

// View returns what a scope held at the point; of one scope it is always the same, read by the
// definition that the caller has. Errors:
// CodeCorrupt names the scope that is damaged, CodeTableNotFound a table that was dropped.
func (p *ReadPoint) View(ctx context.Context, ts TableScope) (*View, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.views {
		if v.scope == ts.Scope {
			return v.As(ts.Table), nil
		}
	}
	switch {
	case p.released:
		return nil, errReleased()
	case p.sealed:
		return nil, kalam.Errorf(kalam.CodeInternal, "read point: a view was taken after Seal")
	}
	sc, err := p.store.acquire(ctx, ts.Table, ts.Scope)
	if err != nil {
		return nil, err
	}
	v := &View{point: p, held: sc, table: ts.Table, scope: ts.Scope}
	p.store.visibility.RLock()
	then := sc.at(p.at)
	then.mem.Retain()
	pinLake(then.lake)
	p.store.visibility.RUnlock()
	v.mem, v.shown, v.lake = then.mem, then.shown, then.lake
	p.store.countReader(ts.Scope.Table, 1)
	p.views = append(p.views, v)
	return v, nil
}

// Seal says that no further view is taken. It may be called more than once.
func (p *ReadPoint) Seal() {
	p.mu.Lock()
	was := p.sealed
	p.sealed = true
	p.mu.Unlock()
	if !was {
		p.store.leavePoint(p.at)
	}
}

// countReader adds n to the readers of a table.
func (s *Store) countReader(t kalam.TableNumber, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading[t] += n; s.reading[t] == 0 {
		delete(s.reading, t)
	}
}

// Readers returns how many views of a table open read points have. A table that was
// dropped gets no more of them: when there is none left, its segments may go.
func (s *Store) Readers(n kalam.TableNumber) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reading[n]
}

// Seq returns the seq of the newest commit that the point shows. Changes above it are not
// in its views, those up to it are.
func (p *ReadPoint) Seq() kalam.Seq { return p.seq }

// Release ends the point and the batches of its views. It may be called twice.
func (p *ReadPoint) Release() {
	p.Seal()
	p.mu.Lock()
	if p.released {
		p.mu.Unlock()
		return
	}
	p.released = true
	views, records, owned := p.views, p.records, p.owned
	p.records, p.owned = nil, nil
	p.mu.Unlock()
	for _, r := range records {
		r.Release()
	}
	for _, m := range owned {
		m.Release()
	}
	for _, v := range views {
		v.mem.Release()
		p.store.unpinLake(v.held, v.lake)
		p.store.countReader(v.scope.Table, -1)
		p.store.release(v.held)
	}
}

// keep makes a record live until Release.
func (p *ReadPoint) keep(r arrow.RecordBatch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		r.Release()
		return
	}
	p.records = append(p.records, r)
}

// own makes Release release a memtable.
func (p *ReadPoint) own(m *memtable.Memtable) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		return errReleased()
	}
	p.owned = append(p.owned, m)
	return nil
}

// live returns an error after Release.
func (p *ReadPoint) live() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		return errReleased()
	}
	return nil
}

func errReleased() error {
	return kalam.Errorf(kalam.CodeInternal, "a read point was read after its release")
}
