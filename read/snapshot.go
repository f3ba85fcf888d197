package read

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Snapshot is a snapshot of scopes. It must be released.
type Snapshot struct {
	snap  *buffer.Snapshot // nil when it holds no scope.
	views map[kalam.Scope]int
}

// Pin takes a snapshot of the scope in which the caller reads a table.
func (c *Caller) Pin(ctx context.Context, t *kalam.Table) (*Snapshot, error) {
	return c.PinScopes(ctx, []buffer.TableScope{{Table: t, Scope: c.Scope(t)}})
}

// PinScopes takes one snapshot of scopes, which it may reorder.
func (c *Caller) PinScopes(ctx context.Context, scopes []buffer.TableScope) (*Snapshot, error) {
	s := &Snapshot{views: make(map[kalam.Scope]int, len(scopes))}
	distinct := scopes[:0]
	for _, sc := range scopes {
		if _, ok := s.views[sc.Scope]; !ok {
			s.views[sc.Scope] = len(distinct)
			distinct = append(distinct, sc)
		}
	}
	if len(distinct) == 0 {
		return s, nil
	}
	snap, err := c.Store.Snapshot(ctx, distinct)
	if err != nil {
		return nil, err
	}
	s.snap = snap
	return s, nil
}

// View returns the view of a scope, nil when the snapshot does not hold it.
func (s *Snapshot) View(sc kalam.Scope) *buffer.View {
	i, ok := s.views[sc]
	if !ok {
		return nil
	}
	return s.snap.View(i)
}

// Seq returns the seq up to which the snapshot shows commits, 0 if it holds no scope.
func (s *Snapshot) Seq() kalam.Seq {
	if s.snap == nil {
		return 0
	}
	return s.snap.Seq()
}

// Release lets go of what the snapshot keeps.
func (s *Snapshot) Release() {
	if s.snap != nil {
		s.snap.Release()
	}
}
