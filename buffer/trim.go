package buffer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// trimOps bounds the deletions of one batch, so that writers need not wait long:
// a thousand kept them for 20 ms.
const trimOps = 100

// Trim removes from the log what is at or below the scope's watermark and
// returns how many blocks it was. It may be repeated, interrupted, and run at the
// same time as anything else: no reader looks below the watermark.
func (s *Store) Trim(ctx context.Context, id kalam.Scope) (int, error) {
	return s.TrimAll(ctx, []kalam.Scope{id})
}

// TrimAll is Trim of several scopes, which share batches. It ends at the first
// error.
func (s *Store) TrimAll(ctx context.Context, ids []kalam.Scope) (int, error) {
	d := s.newDeleter()
	for _, id := range ids {
		m, err := s.ScopeRecord(ctx, id)
		if err != nil {
			return d.total, err
		}
		if m.Watermark == 0 {
			continue
		}
		start, end := rowlog.ScopePrefix(id), rowlog.BlockKey(id, m.Watermark+1)
		if err := d.deleteRange(ctx, rowlog.KeyspaceRows, start, end); err != nil {
			return d.total, err
		}
	}
	return d.total, d.flush(ctx)
}

// deleteRange deletes the keys in [start, end) in batches.
func (s *Store) deleteRange(ctx context.Context, keyspace string, start, end []byte) (int, error) {
	d := s.newDeleter()
	if err := d.deleteRange(ctx, keyspace, start, end); err != nil {
		return d.total, err
	}
	return d.total, d.flush(ctx)
}

// deleter deletes keys in batches of a bounded length.
type deleter struct {
	store *Store
	most  int  // Ops of a batch.
	ops   []Op // Not applied yet.
	total int  // Keys deleted.
}

func (s *Store) newDeleter() *deleter {
	return &deleter{store: s, most: min(trimOps, s.limits.Ops)}
}

// deleteRange deletes the keys in [start, end); the last of them by the next flush.
func (d *deleter) deleteRange(ctx context.Context, keyspace string, start, end []byte) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := d.store.backend.Keys(ctx, keyspace, start, end, func(key []byte) error {
			d.ops = append(d.ops, Op{Keyspace: keyspace, Key: append([]byte(nil), key...), Delete: true})
			if len(d.ops) == d.most {
				return errStop
			}
			return nil
		})
		if err == nil {
			return nil
		}
		if !errors.Is(err, errStop) {
			return fmt.Errorf("scan keyspace %s: %w", keyspace, err)
		}
		start = append(append([]byte(nil), d.ops[len(d.ops)-1].Key...), 0)
		if err := d.flush(ctx); err != nil {
			return err
		}
	}
}

// flush applies what was gathered.
func (d *deleter) flush(ctx context.Context) error {
	for len(d.ops) > 0 {
		n := batchLen(d.store.limits, d.ops)
		if err := d.store.backend.Apply(ctx, d.ops[:n]); err != nil {
			return fmt.Errorf("delete from keyspace %s: %w", d.ops[0].Keyspace, err)
		}
		d.total += n
		d.ops = d.ops[n:]
	}
	d.ops = nil
	return nil
}

// ScopeRecord returns the manifest of record of a scope, zero when nothing was
// flushed. Its slices must not be changed.
func (s *Store) ScopeRecord(ctx context.Context, id kalam.Scope) (ScopeRecord, error) {
	s.mu.Lock()
	sc := s.scopes[id]
	s.mu.Unlock()
	if sc != nil && sc.loaded.Load() {
		s.visibility.RLock()
		defer s.visibility.RUnlock()
		return sc.lake.ScopeRecord, nil
	}
	l, err := s.readRecord(ctx, id)
	if err != nil {
		return ScopeRecord{}, err
	}
	return l.ScopeRecord, nil
}

// Scopes lists, by user, the scopes of a table that have buffered rows or a
// record. What is written or dropped meanwhile may be missing or there. After
// an error it ends.
func (s *Store) Scopes(ctx context.Context, n kalam.TableNumber) iter.Seq2[kalam.Scope, error] {
	const page = 1000
	return func(yield func(kalam.Scope, error) bool) {
		dirty := s.Dirty(n)
		start := rowlog.TablePrefix(n)
		for {
			found, err := s.recordPage(ctx, n, start, page)
			if err != nil {
				yield(kalam.Scope{}, err)
				return
			}
			for _, sc := range found {
				for ; len(dirty) > 0 && dirty[0].Scope.User < sc.User; dirty = dirty[1:] {
					if !yield(dirty[0].Scope, nil) {
						return
					}
				}
				if len(dirty) > 0 && dirty[0].Scope.User == sc.User {
					dirty = dirty[1:]
				}
				if !yield(sc, nil) {
					return
				}
			}
			if len(found) < page {
				break
			}
			start = append(rowlog.ScopePrefix(found[len(found)-1]), 0)
		}
		for i := range dirty {
			if !yield(dirty[i].Scope, nil) {
				return
			}
		}
	}
}

// recordPage returns the scopes of the first records of a table from start on.
func (s *Store) recordPage(ctx context.Context, n kalam.TableNumber, start []byte, page int) ([]kalam.Scope, error) {
	var found []kalam.Scope
	err := s.backend.Scan(ctx, rowlog.KeyspaceRecords, start, rowlog.PrefixEnd(rowlog.TablePrefix(n)),
		func(key, _ []byte) error {
			sc, _, err := rowlog.SplitScope(key)
			if err != nil {
				return kalam.Wrap(kalam.CodeCorrupt, err, "manifest of record of a scope of table %d is damaged", n)
			}
			found = append(found, sc)
			if len(found) == page {
				return errStop
			}
			return nil
		})
	if err != nil && !errors.Is(err, errStop) {
		return nil, fmt.Errorf("list manifests of record of table %d: %w", n, err)
	}
	return found, nil
}

// DropTable removes the rows and records of every scope of a table. From its
// call on the table takes no writes and gives no new views
// (CodeTableNotFound); read points that are open keep their views. It may be
// repeated after it failed or was interrupted.
func (s *Store) DropTable(ctx context.Context, n kalam.TableNumber) error {
	s.mu.Lock()
	s.dropped[n] = struct{}{}
	for id, sc := range s.scopes {
		if id.Table == n {
			s.discardLocked(sc)
		}
	}
	s.mu.Unlock()
	// What is in the queue already is committed or refused before this returns.
	if err := s.submit(ctx, &request{work: barrier{}, alone: true}); err != nil {
		return err
	}
	start := rowlog.TablePrefix(n)
	for _, p := range rowlog.ScopeKeyspaces() {
		if _, err := s.deleteRange(ctx, p, start, rowlog.PrefixEnd(start)); err != nil {
			return err
		}
	}
	s.backlog.DropTable(n)
	s.counts.drop(func(k CounterID) bool { return k.Scope.Table == n })
	return nil
}

// barrier waits for the group before it.
type barrier struct{}

func (barrier) stage(*committer) error { return nil }
func (barrier) rollback()              {}
func (barrier) publish()               {}
func (barrier) afterCommit(*committer) {}
func (barrier) touched() []*scope      { return nil }
