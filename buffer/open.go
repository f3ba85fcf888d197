package buffer

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/backlog"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Open starts a Store on a backend, which stays the caller's and must outlive
// it. It discards what an interrupted commit left behind.
func Open(ctx context.Context, b Backend, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HotBytes == 0 {
		o.HotBytes = defaultHotBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	s := &Store{
		backend: b, limits: b.MaxBatch(), opts: o, log: o.Logger,
		queue: make(chan *request, queueLength), turn: make(chan *committer, 1), handed: make(chan *committer, 1),
		quit: make(chan struct{}), ended: make(chan struct{}),
		scopes: map[kalam.Scope]*scope{}, lru: list.New(), dropped: map[kalam.TableNumber]struct{}{},
		reading: map[kalam.TableNumber]int{}, changed: map[*scope]struct{}{},
		backlog: backlog.New(), counts: newCounts(),
	}
	if err := s.checkLimits(); err != nil {
		return nil, err
	}
	if err := createKeyspaces(ctx, b); err != nil {
		return nil, err
	}
	last, err := s.readLog(ctx)
	if err != nil {
		return nil, err
	}
	ceiling, err := s.readCeiling(ctx)
	if err != nil {
		return nil, err
	}
	last = max(last, ceiling)
	s.clock = kalam.NewSeqClock(o.Worker, last, o.Now)
	s.ceiling.Store(uint64(ceiling))
	s.visible = last
	s.turn <- &committer{store: s}
	go s.commitLoop()
	return s, nil
}

// createKeyspaces creates the keyspaces that are not there yet.
func createKeyspaces(ctx context.Context, b Backend) error {
	for _, name := range rowlog.Keyspaces() {
		if err := b.CreateKeyspace(ctx, name); err != nil && !errors.Is(err, ErrKeyspaceExists) {
			return fmt.Errorf("create keyspace %s: %w", name, err)
		}
	}
	return nil
}

// checkLimits makes sure that every block can be written, and works out the
// longest one.
func (s *Store) checkLimits() error {
	l := s.limits
	if l.Large <= 0 || l.Large > rowlog.MaxBlockBytes {
		l.Value = min(l.Value, l.Bytes-spareBytes-rowlog.MaxKey)
	}
	if l.Value < 2*rowlog.MaxBlockBytes || l.Bytes < 4*spareBytes || l.Ops < 2*spareOps {
		return kalam.Errorf(kalam.CodeInvalidInput, "the backend's batches are too small: %+v", s.limits)
	}
	s.limits.Value = l.Value
	return nil
}

// readCeiling returns the seq up to which seqs may have been given out.
func (s *Store) readCeiling(ctx context.Context) (kalam.Seq, error) {
	raw, err := s.backend.Get(ctx, rowlog.KeyspaceMeta, []byte(rowlog.ClockKey))
	if errors.Is(err, ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read clock: %w", err)
	}
	return rowlog.DecodeClock(raw)
}

// Close commits what is queued, makes the exact clock durable and ends the
// Store. Read points must be released before.
//
//nolint:contextcheck // A close is waited for.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.quit)
		<-s.ended
		err = s.backend.Apply(context.Background(), []Op{clockOp(s.clock.Last())})
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sc := range s.scopes {
			if sc.loaded.Load() {
				sc.mem.Release()
			}
		}
		clear(s.scopes)
	})
	return err
}
