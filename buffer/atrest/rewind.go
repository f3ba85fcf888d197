package atrest

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Finder finds keys in segments; package lake implements it.
type Finder interface {
	// Find returns the row position of each key in the segment, -1 where the key is absent. It is exact.
	Find(ctx context.Context, seg *kalam.Segment, keys [][]byte) ([]int64, error)
}

// WholeUpTo returns the highest seq up to limit at which the log can end: no block, whose rows were committed
// together, has rows on both sides of it.
func WholeUpTo(ctx context.Context, r buffer.Reader, limit kalam.Seq) (kalam.Seq, error) {
	var blocks []LogBlock
	err := ScanLog(ctx, r, func(b LogBlock) error {
		if b.First <= limit {
			blocks = append(blocks, b)
		}
		return nil
	}, func(error) {})
	for changed := true; err == nil && changed; {
		changed = false
		for _, b := range blocks {
			if b.First <= limit && b.Last > limit {
				limit, changed = b.First-1, true
			}
		}
	}
	return limit, err
}

// Rewind takes the rows above a seq out of a backend that no Store uses, and brings back the flushed rows that they
// had replaced. The seq is at or above the Floor of every record, and one that WholeUpTo returns: CodeInvalidInput
// otherwise, and then nothing was changed. Damage is CodeCorrupt. Definitions of tables, users and counters stay
// as they are. Of scopes that are not live only the log is looked at: their files may be gone.
func Rewind(ctx context.Context, b buffer.Backend, to kalam.Seq, find Finder, live func(kalam.Scope) bool) error {
	w := rewind{backend: b, to: to, find: find, live: live, out: buffer.NewBatchWriter(b)}
	for m, err := range buffer.ScopeRecords(ctx, b) {
		if err != nil {
			return err
		}
		if floor := m.Record.Floor(); floor > to && live(m.Scope) {
			return kalam.Errorf(kalam.CodeInvalidInput, "the rows of table %d, user '%s' are known as of seq %d at the earliest, "+
				"not as of %d", m.Scope.Table, m.Scope.User, floor, to)
		}
	}
	var damage error
	note := func(err error) { damage = err }
	for _, visit := range []blockVisitor{w.check, w.collect} {
		if err := scanLog(ctx, b, visit, note); err != nil {
			return err
		}
		if damage != nil {
			return damage
		}
	}
	return w.write(ctx)
}

// rewind is the work of Rewind, scope by scope.
type rewind struct {
	backend buffer.Backend
	to      kalam.Seq
	find    Finder
	live    func(kalam.Scope) bool
	out     *buffer.BatchWriter

	scope kalam.Scope
	kept  map[string]struct{} // Keys with a version that stays.
	gone  map[string]struct{} // Keys of versions that go.
	above []LogBlock
	ended []pendingScope // Scopes that were read, whose vectors are not looked after yet.
}

// pendingScope is a scope with the keys whose flushed row is the newest again.
type pendingScope struct {
	scope kalam.Scope
	keys  [][]byte
}

// check refuses a block with rows on both sides.
func (w *rewind) check(b LogBlock, _ []loggedVersion) error {
	if b.First <= w.to && b.Last > w.to {
		return kalam.Errorf(kalam.CodeInvalidInput,
			"seq %d is in the middle of rows that were committed together: %d is before them, %d is their last", w.to,
			b.First-1, b.Last)
	}
	return nil
}

// collect notes the keys of a block, and deletes it when it is above the seq.
func (w *rewind) collect(b LogBlock, entries []loggedVersion) error {
	if w.kept == nil || b.Scope != w.scope {
		w.leave()
		w.scope, w.kept, w.gone = b.Scope, map[string]struct{}{}, map[string]struct{}{}
	}
	keys := w.kept
	if b.First > w.to {
		keys = w.gone
		w.above = append(w.above, b) // A scan must not write: they are deleted after it.
	}
	for i := range entries {
		keys[string(entries[i].Key)] = struct{}{}
	}
	return nil
}

// leave notes what is to be done with the scope that was read.
func (w *rewind) leave() {
	p := pendingScope{scope: w.scope}
	for key := range w.gone {
		if _, stays := w.kept[key]; !stays {
			p.keys = append(p.keys, []byte(key))
		}
	}
	if len(p.keys) > 0 && w.live(p.scope) {
		w.ended = append(w.ended, p)
	}
}

// write deletes the blocks above the seq and writes the vectors that change.
func (w *rewind) write(ctx context.Context) error {
	w.leave()
	for _, b := range w.above {
		op := buffer.Op{Keyspace: rowlog.KeyspaceRows, Key: rowlog.BlockKey(b.Scope, b.First), Delete: true}
		if err := w.out.Add(ctx, op); err != nil {
			return err
		}
	}
	for _, p := range w.ended {
		if err := w.revive(ctx, p); err != nil {
			return err
		}
	}
	return w.out.Flush(ctx)
}

// revive takes out of the delete vectors the newest flushed rows of keys.
func (w *rewind) revive(ctx context.Context, p pendingScope) error {
	m, err := buffer.ReadManifest(ctx, w.backend, p.scope)
	if err != nil {
		return err
	}
	keys, changed := p.keys, false
	segments := m.Segments()
	for i := len(segments) - 1; i >= 0 && len(keys) > 0; i-- {
		rows, err := w.find.Find(ctx, &segments[i], keys)
		if err != nil {
			return fmt.Errorf("rewind table %d, user '%s': %w", p.scope.Table, p.scope.User, err)
		}
		var rest [][]byte
		for k, row := range rows {
			if row < 0 {
				rest = append(rest, keys[k])
				continue
			}
			changed = m.Revive(i, uint32(row)) || changed
		}
		keys = rest
	}
	if !changed {
		return nil
	}
	op, err := m.Op()
	if err != nil {
		return err
	}
	return w.out.Add(ctx, op)
}
