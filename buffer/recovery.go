package buffer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// readLog counts the buffered versions of every scope, removes what interrupted
// large writes left, and returns a seq that is at or above every one in the log.
// A damaged block or record is logged and passed over: its scope reports the
// damage when it is used, the others are not concerned.
func (s *Store) readLog(ctx context.Context) (last kalam.Seq, err error) {
	intents, err := readIntents(ctx, s.backend)
	if err != nil {
		return 0, err
	}
	c := recoveryScan{store: s, intents: intents}
	var start []byte
	for {
		err := s.backend.Scan(ctx, rowlog.KeyspaceRows, start, nil, func(key, value []byte) error {
			c.visit(ctx, key, value)
			return nil
		})
		if err == nil {
			break
		}
		var damage *DamageError
		if !errors.As(err, &damage) {
			return 0, fmt.Errorf("read row log: %w", err)
		}
		c.visit(ctx, damage.Key, nil)
		start = append(damage.Key, 0)
	}
	c.flush()
	return c.last, s.discardIntents(ctx, intents, c.toDelete)
}

// recoveryScan walks the log in key order.
type recoveryScan struct {
	store    *Store
	intents  []rowlog.SeqRange
	toDelete []Op // Deletes the blocks of the intents.
	last     kalam.Seq

	prefix    []byte
	scope     kalam.Scope
	watermark kalam.Seq
	counted   ScopeStats // Of the scope.
}

// visit counts one block. Whoever opens the store learns of damage from the log,
// whoever uses the scope from an error.
func (c *recoveryScan) visit(ctx context.Context, key, value []byte) {
	if c.prefix == nil || !bytes.HasPrefix(key, c.prefix) || len(key) != len(c.prefix)+8 {
		sc, _, err := rowlog.SplitBlockKey(key)
		if err != nil {
			c.store.log.Error("the row log has a key that is not a block's", "error", err)
			return
		}
		c.enter(ctx, sc)
	}
	first := kalam.Seq(binary.BigEndian.Uint64(key[len(c.prefix):]))
	for _, r := range c.intents {
		if r.Contains(first) {
			c.toDelete = append(c.toDelete,
				Op{Keyspace: rowlog.KeyspaceRows, Key: append([]byte(nil), key...), Delete: true})
			return
		}
	}
	var count uint32
	var size int64
	_, err := rowlog.DecodeBlock(c.scope, first, value, func(e rowlog.Entry, _ rowlog.RowRef) {
		count++
		size += int64(len(e.Key) + len(e.Payload))
	})
	if err != nil {
		c.store.log.Error("a block of the row log is damaged; its scope is not available",
			"table", uint64(c.scope.Table), "user", string(c.scope.User), "error", err)
		count, size = 0, 0
	}
	c.last = max(c.last, rowlog.LastSeqBound(first, count))
	if first <= c.watermark || count == 0 {
		return
	}
	if c.counted.Rows == 0 {
		c.counted.Oldest = first
	}
	c.counted.Rows += int64(count)
	c.counted.Bytes += size
}

// enter begins the next scope.
func (c *recoveryScan) enter(ctx context.Context, sc kalam.Scope) {
	c.flush()
	c.scope, c.prefix, c.watermark = sc, rowlog.ScopePrefix(sc), 0
	l, err := c.store.readRecord(ctx, sc)
	if err != nil {
		c.store.log.Error("a manifest of record cannot be read; its scope is not available",
			"table", uint64(sc.Table), "user", string(sc.User), "error", err)
		return
	}
	c.watermark = l.Watermark
	c.last = max(c.last, l.Watermark)
}

// flush hands the counts of the scope to the stats.
func (c *recoveryScan) flush() {
	if c.counted.Rows > 0 {
		c.store.backlog.Add(c.scope, c.counted.Rows, c.counted.Bytes, c.counted.Oldest)
	}
	c.counted = ScopeStats{}
}

// readIntents returns the large writes that did not reach their commit.
func readIntents(ctx context.Context, from Reader) ([]rowlog.SeqRange, error) {
	var out []rowlog.SeqRange
	prefix := []byte(rowlog.IntentPrefix)
	err := from.Scan(ctx, rowlog.KeyspaceMeta, prefix, rowlog.PrefixEnd(prefix), func(key, _ []byte) error {
		r, err := rowlog.SplitIntentKey(key)
		if err != nil {
			return kalam.Wrap(kalam.CodeCorrupt, err, "an intent of the write buffer is damaged")
		}
		out = append(out, r)
		return nil
	})
	if err != nil && !errors.Is(err, ErrKeyspaceNotFound) {
		return nil, fmt.Errorf("read intents: %w", err)
	}
	return out, nil
}

// discardIntents removes the blocks of large writes that did not reach their
// commit, and then their intents.
func (s *Store) discardIntents(ctx context.Context, intents []rowlog.SeqRange, toDelete []Op) error {
	for _, r := range intents {
		toDelete = append(toDelete, Op{Keyspace: rowlog.KeyspaceMeta, Key: rowlog.IntentKey(r), Delete: true})
	}
	if len(intents) > 0 {
		s.log.Warn("interrupted writes removed", "writes", len(intents), "blocks", len(toDelete)-len(intents))
	}
	for len(toDelete) > 0 {
		n := batchLen(s.limits, toDelete)
		if err := s.backend.Apply(ctx, toDelete[:n]); err != nil {
			return fmt.Errorf("remove interrupted writes: %w", err)
		}
		toDelete = toDelete[n:]
	}
	return nil
}
