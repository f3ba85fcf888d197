package buffer

import (
	"context"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/kalamlake/kalam"
)

// TableStats returns the buffered versions of a table, their bytes, and the seq
// of the oldest, 0 when there is none. It reads counters and scans nothing.
func (s *Store) TableStats(n kalam.TableNumber) (rows, bytes int64, oldest kalam.Seq) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	tt := s.stats.tables[n]
	if tt == nil {
		return 0, 0, 0
	}
	return tt.rows, tt.bytes, tt.ages[0].Oldest
}

// BufferedBytes returns the bytes of all buffered keys and payloads.
func (s *Store) BufferedBytes() int64 { return s.stats.bytes.Load() }

// BufferedTables returns the bytes of every table with buffered versions, in no
// order. It reads one counter per table.
func (s *Store) BufferedTables() map[kalam.TableNumber]int64 {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	out := make(map[kalam.TableNumber]int64, len(s.stats.tables))
	for n, tt := range s.stats.tables {
		out[n] = tt.bytes
	}
	return out
}

// Dirty returns the scopes of a table with buffered versions, by user. It reads
// counters and scans nothing.
func (s *Store) Dirty(n kalam.TableNumber) []ScopeStats {
	out := s.stats.scopes(n)
	sort.Slice(out, func(i, j int) bool { return out[i].Scope.User < out[j].Scope.User }) // Commits do not wait for it.
	return out
}

// BufferedRows returns the buffered versions of a scope. It reads a counter.
func (s *Store) BufferedRows(sc kalam.Scope) int64 {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	if tt := s.stats.tables[sc.Table]; tt != nil && tt.users[sc.User] != nil {
		return tt.users[sc.User].Rows
	}
	return 0
}

// Grown returns a channel that holds a token when a table has reached the rows
// or bytes of Mark, or got its first after it had none, or when all together have reached
// the bytes of MarkBytes. It is for one reader.
func (s *Store) Grown() <-chan struct{} { return s.stats.grown }

// TakeGrown returns the tables that have reached a mark since it was called
// last; after Open, every table with buffered versions. A table is named once and
// then has no mark until Mark.
func (s *Store) TakeGrown() []kalam.TableNumber {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	if len(s.stats.reached) == 0 {
		return nil
	}
	out := make([]kalam.TableNumber, 0, len(s.stats.reached))
	for n := range s.stats.reached {
		out = append(out, n)
	}
	clear(s.stats.reached)
	return out
}

// Mark asks for a token of Grown when a table has at least so many buffered versions or
// bytes, at once when it has them already; 0 asks for none. A table that was empty in
// between tells at its first version, whatever the marks were.
func (s *Store) Mark(n kalam.TableNumber, rows, bytes int64) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	tt := s.stats.tables[n]
	if tt == nil {
		return
	}
	if rows <= 0 {
		rows = math.MaxInt64
	}
	if tt.mark, tt.heavy = rows, bytes; tt.reached() {
		s.stats.reachLocked(n, tt)
	}
}

// MarkBytes asks for one token of Grown when all tables have at least so many
// buffered bytes, at once when they have them already; 0 asks for none.
func (s *Store) MarkBytes(bytes int64) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.mark = max(bytes, 0)
	if bytes > 0 && s.stats.bytes.Load() >= bytes {
		s.stats.mark = 0
		s.stats.tell()
	}
}

// waitForRoom waits while the buffer is full, for a limited time.
func (s *Store) waitForRoom(ctx context.Context) error {
	if s.opts.MaxBytes == 0 {
		return nil
	}
	var timeout <-chan time.Time
	for {
		freed := s.stats.over(s.opts.MaxBytes)
		if freed == nil {
			return nil
		}
		if timeout == nil {
			timer := time.NewTimer(fullWait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-freed:
		case <-timeout:
			return kalam.Errorf(kalam.CodeResourceExhausted,
				"write buffer full: buffered rows take %d bytes, the limit buffer.max_bytes is %d; "+
					"nothing was written. STORAGE FLUSH makes room; then try again", s.stats.bytes.Load(),
				s.opts.MaxBytes)
		case <-ctx.Done():
			return fmt.Errorf("wait for room in the write buffer: %w", context.Cause(ctx))
		case <-s.quit:
			return shuttingDown()
		}
	}
}
