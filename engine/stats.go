package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
)

// tableStats sums what the principal may see of t: their own scope, or for
// admins all scopes.
func (s *session) tableStats(ctx context.Context, t *kalam.Table) (sum buffer.Counts, err error) {
	since := s.e.visibleSince(t, s.e.now())
	if s.Access.May(s.Principal, t, access.Count) != nil {
		return s.e.store.Counts(ctx, t, s.Scope(t), since)
	}
	for sc, err := range s.e.store.Scopes(ctx, t.Number) {
		if err != nil {
			return sum, err
		}
		c, err := s.e.store.Counts(ctx, t, sc, since)
		if err != nil {
			return sum, err
		}
		sum.Add(c)
	}
	return sum, nil
}

// visibleSince returns the seq below which rows of t have expired; 0 when they do
// not expire.
func (e *Engine) visibleSince(t *kalam.Table, now time.Time) kalam.Seq {
	if t.Options.TTL == 0 {
		return 0
	}
	return kalam.SeqAt(now.Add(-t.Options.TTL))
}

// Health says whether the server works as it should.
type Health struct {
	Degraded bool
	Reason   string
}

// Health probes what can fail while the server runs on.
func (e *Engine) Health() Health {
	var reasons []string
	for _, n := range e.failing.list() {
		if t, ok := e.catalog.TableByNumber(n); ok { // A table that was dropped fails no longer.
			reasons = append(reasons, fmt.Sprintf("flush of table %s fails", t.ID))
		}
	}
	if reason := e.segments.Damage().Reason(); reason != "" {
		reasons = append(reasons, reason)
	}
	reasons = append(reasons, e.pair.ShortOfRoom()...)
	return Health{Degraded: len(reasons) > 0, Reason: strings.Join(reasons, "; ")}
}
