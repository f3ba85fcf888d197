package buffer

import (
	"context"

	"github.com/kalamlake/kalam"
)

// RecordSums adds the checksums of a segment to a record from before they were kept.
// A segment that is not there any more, or has sums, is left alone.
func (s *Store) RecordSums(ctx context.Context, t *kalam.Table, id kalam.Scope, segment kalam.SegmentID,
	sums kalam.SegmentSums) error {
	sc, err := s.acquire(ctx, t, id)
	if err != nil {
		return err
	}
	defer s.release(sc)
	sc.flushing.Lock()
	defer sc.flushing.Unlock()
	s.visibility.RLock()
	from := sc.lake
	s.visibility.RUnlock()
	i := from.segmentIndex(segment)
	if i < 0 || from.Segments[i].Sums.Known() {
		return nil
	}
	to := &lakeState{ScopeRecord: from.ScopeRecord, vectors: from.vectors, last: from.last}
	to.Segments = append([]kalam.Segment(nil), from.Segments...)
	to.Segments[i].Sums = sums
	return s.submit(ctx, &request{work: &sumsEdit{store: s, scope: sc, before: from, after: to}, alone: true})
}

// sumsEdit puts in place of a record one that says the same of more.
type sumsEdit struct {
	store         *Store
	scope         *scope
	before, after *lakeState
}

// stage implements work.
func (a *sumsEdit) stage(c *committer) error {
	if a.scope.stale.Load() {
		return a.scope.goneErr()
	}
	if a.scope.lake != a.before {
		return kalam.Errorf(kalam.CodeConflict, "table %d, user '%s' was flushed by somebody else in the meantime",
			a.scope.id.Table, a.scope.id.User)
	}
	edit, err := newRecordEdit(a.scope.id, a.before, a.after)
	if err != nil {
		return err
	}
	c.putRecord(&edit)
	return nil
}

func (a *sumsEdit) rollback() {}

// publish implements work.
func (a *sumsEdit) publish() {
	a.scope.lake = a.after
	a.store.markObsolete(a.scope, a.before)
}

// afterCommit implements work.
func (a *sumsEdit) afterCommit(*committer) {}

func (a *sumsEdit) touched() []*scope { return []*scope{a.scope} }
