package maintain

import (
	"context"
	"errors"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// What bounds the bytes of STREAM tables with MAX_STREAM_SIZE_BYTES. It is no job: it runs as soon as a
// write goes beyond the limit, and takes milliseconds.

// shrunkTo is the part of its limit, in tenths, to which a STREAM table is reduced, so that not each
// write has to make room.
const shrunkTo = 9

// StreamWritten says that rows were written to a STREAM table with a limit; if it is above it, the
// oldest rows go soon.
func (m *Maintainer) StreamWritten(t *kalam.Table) {
	if _, bytes, _ := m.store.TableStats(t.Number); bytes <= t.Options.MaxStreamBytes {
		return
	}
	select {
	case m.streams.grown <- struct{}{}:
	default: // Who looks next sees this table, too.
	}
}

// watchSize reduces STREAM tables that are above their limit, until ctx ends.
func (s *streams) watchSize(ctx context.Context) {
	for {
		for _, t := range s.StreamTables() { // At first for what a start finds.
			if _, err := s.shrink(ctx, t); err != nil && ctx.Err() == nil && kalam.CodeOf(err) != kalam.CodeTableNotFound {
				s.log.Warn("a STREAM table is above its limit and was not reduced", "table", t.ID.String(), "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.grown:
		}
	}
}

// shrink removes the oldest rows of a STREAM table that is above its limit, of the users with the
// most, so that who writes much takes no room from others. It returns how many rows went.
func (s *streams) shrink(ctx context.Context, t *kalam.Table) (evicted int64, err error) {
	limit := t.Options.MaxStreamBytes
	if _, bytes, _ := s.store.TableStats(t.Number); limit == 0 || bytes <= limit {
		return 0, nil
	}
	scopes := s.store.Dirty(t.Number)
	level := fairShare(scopes, limit/10*shrunkTo)
	var failed []error
	for _, st := range scopes {
		if st.Bytes <= level {
			continue
		}
		n, err := s.store.EvictDown(ctx, t, st.Scope, level)
		evicted += n
		if !errors.Is(err, buffer.ErrUserBarred) {
			failed = append(failed, err)
		}
	}
	s.log.Debug("STREAM table reduced to its limit", "table", t.ID.String(), "rows", evicted)
	return evicted, errors.Join(failed...)
}

// fairShare returns the bytes that each scope may have at most, so that all have total together:
// those with less keep what they have.
func fairShare(scopes []buffer.ScopeStats, total int64) int64 {
	sizes := make([]int64, len(scopes))
	for i := range scopes {
		sizes[i] = scopes[i].Bytes
	}
	slices.Sort(sizes)
	for i, size := range sizes {
		share := total / int64(len(sizes)-i)
		if size > share {
			return share
		}
		total -= size
	}
	return total
}
