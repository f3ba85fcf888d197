package buffer

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/backlog"
)

// ScopeStats are the counters of a scope's buffered versions.
type ScopeStats = backlog.Stats

// TableStats returns the buffered versions of a table, their bytes, and the seq
// of the oldest, 0 when there is none. It reads counters and scans nothing.
func (s *Store) TableStats(n kalam.TableNumber) (rows, bytes int64, oldest kalam.Seq) {
	return s.backlog.Table(n)
}

// BufferedBytes returns the bytes of all buffered keys and payloads.
func (s *Store) BufferedBytes() int64 { return s.backlog.Bytes() }

// BufferedTables returns the bytes of every table with buffered versions, in no
// order. It reads one counter per table.
func (s *Store) BufferedTables() map[kalam.TableNumber]int64 { return s.backlog.Tables() }

// Dirty returns the scopes of a table with buffered versions, by user. It reads
// counters and scans nothing.
func (s *Store) Dirty(n kalam.TableNumber) []ScopeStats {
	out := s.backlog.Scopes(n)
	sort.Slice(out, func(i, j int) bool { return out[i].Scope.User < out[j].Scope.User }) // Commits do not wait for it.
	return out
}

// BufferedRows returns the buffered versions of a scope. It reads a counter.
func (s *Store) BufferedRows(sc kalam.Scope) int64 { return s.backlog.Rows(sc) }

// Grown is [backlog.Backlog.Grown].
func (s *Store) Grown() <-chan struct{} { return s.backlog.Grown() }

// TakeGrown is [backlog.Backlog.TakeGrown]; after Open, every table with buffered versions has reached a mark.
func (s *Store) TakeGrown() []kalam.TableNumber { return s.backlog.TakeGrown() }

// Mark is [backlog.Backlog.Mark].
func (s *Store) Mark(n kalam.TableNumber, rows, bytes int64) { s.backlog.Mark(n, rows, bytes) }

// MarkBytes is [backlog.Backlog.MarkBytes].
func (s *Store) MarkBytes(bytes int64) { s.backlog.MarkBytes(bytes) }

// waitForRoom waits while the buffer is full, for a limited time.
func (s *Store) waitForRoom(ctx context.Context) error {
	if s.opts.MaxBytes == 0 {
		return nil
	}
	var timeout <-chan time.Time
	for {
		freed := s.backlog.Over(s.opts.MaxBytes)
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
					"nothing was written. STORAGE FLUSH makes room; then try again", s.backlog.Bytes(),
				s.opts.MaxBytes)
		case <-ctx.Done():
			return fmt.Errorf("wait for room in the write buffer: %w", context.Cause(ctx))
		case <-s.quit:
			return shuttingDown()
		}
	}
}
