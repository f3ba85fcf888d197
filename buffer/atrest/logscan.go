package atrest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// LogBlock is what a block of the row log holds above the watermark of its scope.
type LogBlock struct {
	Scope       kalam.Scope
	First, Last kalam.Seq
	Rows        int
	Bytes       int64 // Of the stored value.
}

// blockVisitor is called with a block and its versions, which are valid during the call only.
type blockVisitor func(b LogBlock, entries []loggedVersion) error

// loggedVersion is a version with the flushed row that it replaces.
type loggedVersion struct {
	rowlog.Entry
	superseded rowlog.RowRef
}

// ScanLog reads every block of the row log that counts and calls visit for each. What is at or below the
// watermark of a scope, or was begun and not committed, does not count. A block that is damaged, or missing from
// its chain, is told to damage, and the next follows. It needs no Store and changes nothing.
func ScanLog(ctx context.Context, r buffer.Reader, visit func(LogBlock) error, damage func(error)) error {
	return scanLog(ctx, r, func(b LogBlock, _ []loggedVersion) error { return visit(b) }, damage)
}

func scanLog(ctx context.Context, r buffer.Reader, visit blockVisitor, damage func(error)) error {
	intents, err := buffer.Intents(ctx, r)
	if err != nil {
		return err
	}
	s := logScan{reader: r, intents: intents, visit: visit, damage: damage}
	var start []byte
	for {
		err := r.Scan(ctx, rowlog.KeyspaceRows, start, nil, func(key, value []byte) error { return s.block(ctx, key, value) })
		var bad *buffer.DamageError
		switch {
		case err == nil || errors.Is(err, buffer.ErrKeyspaceNotFound):
			return nil
		case !errors.As(err, &bad):
			return fmt.Errorf("read row log: %w", err)
		}
		if sc, first, err := rowlog.SplitBlockKey(bad.Key); err == nil {
			s.broken = sc
			damage(rowlog.DamagedBlock(sc, first, bad.Error()))
		} else {
			damage(bad)
		}
		start = append(bytes.Clone(bad.Key), 0)
	}
}

// logScan walks the log in key order.
type logScan struct {
	reader  buffer.Reader
	intents []rowlog.SeqRange
	visit   blockVisitor
	damage  func(error)

	begun     bool
	scope     kalam.Scope
	watermark kalam.Seq
	last      kalam.Seq   // Of the scope, so far.
	broken    kalam.Scope // Its chain was interrupted, which was told.
	entries   []loggedVersion
}

// block looks at one block.
func (s *logScan) block(ctx context.Context, key, value []byte) error {
	sc, first, err := rowlog.SplitBlockKey(key)
	if err != nil {
		s.damage(kalam.Wrap(kalam.CodeCorrupt, err, "the row log has a key that is not a block's"))
		return nil
	}
	if !s.begun || sc != s.scope {
		if err := s.enter(ctx, sc); err != nil {
			return err
		}
	}
	if first <= s.watermark || s.isIntent(first) {
		return nil
	}
	b := LogBlock{Scope: sc, First: first, Bytes: int64(len(value))}
	s.entries = s.entries[:0]
	before, err := rowlog.DecodeBlock(sc, first, value, func(e rowlog.Entry, ref rowlog.RowRef) {
		b.Rows++
		b.Last = e.Seq
		s.entries = append(s.entries, loggedVersion{e, ref})
	})
	if err != nil {
		s.broken = sc
		s.damage(err)
		return nil
	}
	if before != s.last && s.broken != sc {
		s.broken = sc
		s.damage(rowlog.DamagedBlock(sc, first,
			fmt.Sprintf("it follows version %d, but the one before it is %d", before, s.last)))
	}
	s.last = b.Last
	return s.visit(b, s.entries)
}

func (s *logScan) isIntent(first kalam.Seq) bool {
	for _, r := range s.intents {
		if r.Contains(first) {
			return true
		}
	}
	return false
}

// enter begins the next scope. A record that cannot be read is told by who reads the records.
func (s *logScan) enter(ctx context.Context, sc kalam.Scope) error {
	s.begun, s.scope, s.watermark, s.last = true, sc, 0, 0
	m, err := buffer.ReadManifest(ctx, s.reader, sc)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.broken = sc // What is missing of its log cannot be told.
		return nil    //nolint:nilerr // See above.
	}
	s.watermark, s.last = m.Watermark(), m.Watermark()
	return nil
}
