package jobs

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// relieve makes room in a buffer that is nearly full. While it is, every step comes
// back to it: rows expire, flushes end and fail, and writes go on.
func (s *FlushScheduler) relieve(ctx context.Context, now time.Time) {
	high := max(s.o.MaxBytes/4*3, 1)
	if s.full = s.o.MaxBytes > 0 && s.o.Counters.BufferedBytes() >= high; !s.full {
		if s.o.MaxBytes > 0 {
			s.o.Marks.MarkBytes(high)
		}
		return
	}
	s.o.Evict(ctx)
	for _, t := range s.heaviest(now) {
		s.submit(ctx, t, TriggerBuffer, now)
	}
}

// weighed is a table that may be flushed to make room.
type weighed struct {
	table *scheduled
	bytes int64
	small bool // A flush is not worth it while others are.
}

// heaviest returns the tables whose flush would leave half of the buffer free,
// together with the flushes that run: the largest first, small ones last.
func (s *FlushScheduler) heaviest(now time.Time) []*scheduled {
	left := s.o.Counters.BufferedBytes()
	var list []weighed
	for n, bytes := range s.o.Counters.BufferedTables() {
		policy, ok := s.o.Policy(n)
		if !ok {
			continue
		}
		t := s.tables[n]
		switch {
		case t != nil && t.job != "":
			left -= bytes
			continue
		case policy.Manual || t != nil && t.notBefore.After(now):
			continue
		case t == nil: // It has no time to be flushed at.
			t = &scheduled{number: n, place: unqueued}
		}
		rows, _, _ := s.o.Counters.TableStats(n)
		list = append(list, weighed{table: t, bytes: bytes, small: rows < s.o.Rules.serverMinRows()})
	}
	slices.SortFunc(list, func(a, b weighed) int {
		switch {
		case a.small != b.small && a.small:
			return 1
		case a.small != b.small:
			return -1
		}
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.table.number, b.table.number))
	})
	var out []*scheduled
	for i := range list {
		if left <= s.o.MaxBytes/2 {
			break
		}
		left -= list[i].bytes
		s.tables[list[i].table.number] = list[i].table
		out = append(out, list[i].table)
	}
	return out
}
