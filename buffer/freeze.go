package buffer

import (
	"context"

	"github.com/kalamlake/kalam"
)

// Frozen is all that is stored, as of one commit: every row up to Seq, and none above it.
type Frozen struct {
	Snapshot
	Seq kalam.Seq // Of the newest row; 0 when there never was one.
}

// Freeze fixes the state of the backend between two commits. Writers wait only until the state is fixed,
// not until it is read. The caller closes it before the Store.
func (s *Store) Freeze(ctx context.Context) (*Frozen, error) {
	f := &freeze{store: s}
	if err := s.submit(ctx, &request{work: f, alone: true}); err != nil {
		return nil, err
	}
	if f.err != nil {
		return nil, f.err
	}
	return &f.frozen, nil
}

// freeze takes a snapshot while nobody else commits: all that was staged is written, and nothing else is begun.
type freeze struct {
	store  *Store
	frozen Frozen
	err    error
}

func (f *freeze) stage(*committer) error { return nil }

func (f *freeze) rollback() {}

func (f *freeze) publish() {}

// afterCommit implements work.
//
//nolint:contextcheck // A request that was begun is waited for.
func (f *freeze) afterCommit(*committer) {
	f.store.visibility.RLock()
	f.frozen.Seq = f.store.visible
	f.store.visibility.RUnlock()
	f.frozen.Snapshot, f.err = f.store.backend.Snapshot(context.Background())
}

func (f *freeze) touched() []*scope { return nil }
