package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
)

// mayDescribe checks that the principal may see a table's definition: whoever
// may read it, and admins.
func (s *session) mayDescribe(t *kalam.Table) error {
	if s.principal.Role.IsAdmin() {
		return nil
	}
	return catalog.CanRead(s.principal, t)
}

// tableStats are the counters of a table, or of one scope of it.
type tableStats struct {
	buffered, bufferedBytes int64
	flushed, files, bytes   int64
	lastFlush               time.Time
}

// tableStats sums what the principal may see of t: their own scope, or for
// admins all scopes.
func (s *session) tableStats(ctx context.Context, t *kalam.Table) (tableStats, error) {
	var sum tableStats
	all := s.principal.Role.IsAdmin() || !t.HasScopePerUser()
	for _, st := range s.e.store.Dirty(t.Number) {
		if all || st.Scope == s.scope(t) {
			sum.buffered += st.Rows
			sum.bufferedBytes += st.Bytes
		}
	}
	add := func(_ kalam.Scope, m buffer.Manifest) error {
		for i := range m.Segments {
			sum.flushed += m.Segments[i].Rows
			sum.bytes += m.Segments[i].Bytes
			sum.files++
		}
		if m.UpdatedAt.After(sum.lastFlush) {
			sum.lastFlush = m.UpdatedAt
		}
		return nil
	}
	if all {
		return sum, s.e.eachManifest(ctx, t, add)
	}
	m, err := s.e.store.Manifest(ctx, s.scope(t))
	if err != nil {
		return sum, err
	}
	return sum, add(s.scope(t), m)
}

// flushConfig describes the flush policy of a table.
func (e *Engine) flushConfig(t *kalam.Table) string {
	if t.Options.FlushManual || t.Kind == kalam.KindStreamTable {
		return "Manual"
	}
	interval, rows := int(t.Options.FlushInterval.Seconds()), t.Options.FlushRows
	switch {
	case interval == 0 && rows == 0:
		interval, rows = e.config.Flush.DefaultTimeInterval, e.config.Flush.DefaultRowLimit
	case rows == 0:
		return fmt.Sprintf("Auto (%ds)", interval)
	case interval == 0:
		return fmt.Sprintf("Auto (%d rows)", rows)
	}
	return fmt.Sprintf("Auto (%ds/%d rows)", interval, rows)
}

// Health says whether the server works as it should.
type Health struct {
	Degraded bool
	Reason   string
}

// Health probes what can fail while the server runs on.
func (e *Engine) Health() Health {
	if reason := e.failing.Load(); reason != nil {
		return Health{Degraded: true, Reason: *reason}
	}
	return Health{}
}
