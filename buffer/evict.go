package buffer

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

// EvictBefore removes the versions of a scope that are older than seq, for
// STREAM tables, whose rows have a lifetime. Versions that were committed
// together go together, when all are old. It returns how many went. The rows are
// gone on return; the space they take in the log is given back by Trim, which
// EvictBefore calls.
func (s *Store) EvictBefore(ctx context.Context, t *kalam.Table, id kalam.Scope, seq kalam.Seq) (int64, error) {
	return s.evictTo(ctx, t, id, func(sh *memtable.Published) int { return sh.Search(seq) })
}

// EvictDown is EvictBefore of the oldest versions, until what is left takes so many bytes of keys and
// payloads, or is one commit that takes more.
func (s *Store) EvictDown(ctx context.Context, t *kalam.Table, id kalam.Scope, bytes int64) (int64, error) {
	return s.evictTo(ctx, t, id, func(sh *memtable.Published) int {
		n := sh.Len()
		for ; n > 0; n-- {
			v := sh.At(n - 1)
			if bytes -= int64(len(v.Key) + len(v.Payload)); bytes < 0 {
				break
			}
		}
		return n
	})
}

// evictTo removes the versions before the one that cut returns.
func (s *Store) evictTo(
	ctx context.Context, t *kalam.Table, id kalam.Scope, cut func(*memtable.Published) int,
) (int64, error) {
	sc, err := s.acquire(ctx, t, id)
	if err != nil {
		return 0, err
	}
	n, err := s.evict(ctx, sc, cut)
	s.release(sc)
	if err != nil || n == 0 {
		return n, err
	}
	_, err = s.Trim(ctx, id)
	return n, err
}

func (s *Store) evict(ctx context.Context, sc *scope, before func(*memtable.Published) int) (int64, error) {
	sc.flushing.Lock()
	defer sc.flushing.Unlock()
	sh := s.shownOf(sc)
	cut := before(&sh)
	for cut > 0 && cut < sh.Len() && !sh.At(cut).StartsBlock {
		cut--
	}
	if cut == 0 {
		return 0, nil
	}
	a, err := s.newFlushEdit(sc, sh.At(cut-1).Seq)
	if err != nil {
		return 0, err
	}
	s.catchUp(a)
	return int64(cut), s.submit(ctx, &request{work: a, alone: true})
}
