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
	to := &lakeState{Manifest: from.Manifest, vectors: from.vectors, last: from.last}
	to.Segments = append([]kalam.Segment(nil), from.Segments...)
	to.Segments[i].Sums = sums
	return s.submit(ctx, &request{work: &amendment{store: s, scope: sc, from: from, to: to}, alone: true})
}

// amendment puts in place of a manifest one that says the same of more.
type amendment struct {
	store    *Store
	scope    *scope
	from, to *lakeState
}

// stage implements work.
func (a *amendment) stage(c *committer) error {
	if a.scope.stale.Load() {
		return kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", a.scope.id.Table)
	}
	if a.scope.lake != a.from {
		return kalam.Errorf(kalam.CodeConflict, "table %d, user '%s' was flushed by somebody else in the meantime",
			a.scope.id.Table, a.scope.id.User)
	}
	edit, err := newManifestEdit(a.scope.id, a.from, a.to)
	if err != nil {
		return err
	}
	c.putManifest(&edit)
	return nil
}

func (a *amendment) unstage() {}

// show implements work.
func (a *amendment) show() {
	a.scope.lake = a.to
	a.store.supersede(a.scope, a.from)
}

// settle implements work.
func (a *amendment) settle(*committer) {}

func (a *amendment) pinned() []*scope { return []*scope{a.scope} }
