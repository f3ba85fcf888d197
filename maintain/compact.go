package maintain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/parquet"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/segments"
)

// CompactableScopes returns the users whose segments a compaction looks at: all
// that have any, or those that flushes found to have too many.
func (c *compactions) CompactableScopes(ctx context.Context, n kalam.TableNumber, all bool) ([]kalam.UserID, error) {
	t, ok := c.catalog.TableByNumber(n)
	if !ok {
		return nil, tableGone(n)
	}
	if !all {
		return c.due.users(n), nil
	}
	var users []kalam.UserID
	err := c.eachManifest(ctx, t, func(sc kalam.Scope, m buffer.ScopeRecord) error {
		if len(m.Segments) > 0 {
			users = append(users, sc.User)
		}
		return nil
	})
	return users, err
}

func tableGone(n kalam.TableNumber) error {
	return kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", n)
}

// CompactScope merges segments of one user of a table: with all every one, else
// as the background rule says. As with a flush, the commit through the buffer's
// committer is the only moment of truth.
func (c *compactions) CompactScope(
	ctx context.Context, n kalam.TableNumber, user kalam.UserID, all bool,
) (compactedScope, error) {
	return c.compactScope(ctx, n, user, all, nil)
}

// compactScope is CompactScope that keeps tombstones for some hours, nil for as long as
// the table says. Of a user who is being removed nothing is compacted.
func (c *compactions) compactScope(
	ctx context.Context, n kalam.TableNumber, user kalam.UserID, all bool, retain *int,
) (done compactedScope, err error) {
	if c.store.IsBarred(user) {
		return done, nil
	}
	defer func() {
		if errors.Is(err, buffer.ErrUserBarred) {
			done, err = compactedScope{}, nil
		}
	}()
	c.refs.Acquire(n)
	defer c.refs.Release(n)
	t, ok := c.catalog.TableByNumber(n)
	if !ok {
		return done, tableGone(n)
	}
	sc := kalam.Scope{Table: n, User: user}
	if err := c.locks.lock(ctx, sc); err != nil {
		return done, err
	}
	defer c.locks.unlock(sc)
	runs, before, err := c.compactRuns(ctx, t, sc, all)
	if err != nil {
		return done, err
	}
	done.SegmentsBefore = before
	for _, ids := range runs {
		run := &compaction{work: c, table: t, scope: sc, keep: c.keepFrom(t, retain)}
		if err := run.merge(ctx, ids, &done); err != nil {
			return done, fmt.Errorf("compact segments of table %s: %w", t.ID, err)
		}
	}
	if len(c.obsolete.replacedIn([]kalam.Scope{sc})) > 0 && c.writeManifest(ctx, t, sc) == nil {
		c.removeObsolete(ctx) // An earlier manifest.json, which could not be replaced, may have named them until now.
	}
	c.due.remove(sc)
	m, err := c.store.ScopeRecord(ctx, sc)
	done.SegmentsAfter = len(m.Segments)
	return done, err
}

// compactRuns decides which runs of segments of a scope are merged.
func (c *compactions) compactRuns(
	ctx context.Context, t *kalam.Table, sc kalam.Scope, all bool,
) (runs [][]kalam.SegmentID, segments int, err error) {
	point, views, err := c.store.Views(ctx, []buffer.TableScope{{Table: t, Scope: sc}})
	if err != nil {
		return nil, 0, err
	}
	defer point.Release()
	stored := views[0].Stored()
	rows := livingRows(stored)
	var chosen []segmentRun
	if all {
		chosen = fullRuns(rows)
	} else if r, ok := tierRun(rows, c.config.Lake.CompactSegments); ok {
		chosen = []segmentRun{r}
	}
	for _, r := range chosen {
		var ids []kalam.SegmentID
		for _, s := range stored[r.from:r.to] {
			ids = append(ids, s.Segment.ID)
		}
		runs = append(runs, ids)
	}
	return runs, len(stored), nil
}

// keepFrom returns the seq from which on tombstones of a table are kept, for some hours
// or, when retain is nil, as long as the table says. No hours keep none: the clock of the
// seqs may be ahead of the time.
func (c *compactions) keepFrom(t *kalam.Table, retain *int) kalam.Seq {
	hours := t.RetentionHours(c.config.Retention.DefaultDeletedRetentionHours)
	if retain != nil {
		hours = *retain
	}
	if hours == 0 {
		return math.MaxInt64
	}
	return kalam.SeqAt(c.now().Add(-time.Duration(hours) * time.Hour))
}

// merge merges the segments of one run, unless there is nothing to gain, and adds what it
// did to done.
func (c *compaction) merge(ctx context.Context, ids []kalam.SegmentID, done *compactedScope) error {
	watched, stop := c.work.pair.WatchRoom(ctx)
	segment, gain, err := c.prepare(watched, ids)
	err = pair.NoRoomOr(watched, err)
	stop()
	if err != nil || !gain {
		return err
	}
	if err := c.commit(ctx, segment); err != nil {
		return err
	}
	done.Merged += len(c.old)
	done.Rows += int64(len(c.keys))
	done.Overwritten += c.overwritten
	done.Tombstones += c.forgotten
	for i := range c.old {
		done.BytesRead += c.old[i].Bytes
	}
	if segment != nil {
		done.Written++
		done.BytesWritten += segment.Bytes
	}
	return nil
}

// compaction merges neighbouring segments of a scope.
type compaction struct {
	work  *compactions
	table *kalam.Table
	scope kalam.Scope
	keep  kalam.Seq // Tombstones from here on are kept.

	earlier     []buffer.SegmentView // Those before the run.
	run         []buffer.SegmentView
	old         []kalam.Segment           // Of the run.
	removed     []buffer.CompactedSegment // Likewise: the rows that are left out.
	keys        []keyindex.Entry          // Of the new file; the lake sorts them.
	minSeq      kalam.Seq                 // Of the new file's rows.
	maxSeq      kalam.Seq                 // Likewise.
	tombstones  int64                     // In the new file.
	overwritten int64                     // Rows left out because a later write replaced them.
	forgotten   int64                     // Tombstones left out because they are old.
	newest      kalam.Seq                 // Of those.
	staged      segments.Key              // The new file.
}

// prepare reads the segments under a snapshot and writes the new one, which is
// nil when no row is left. gain is false when merging them would change nothing.
func (c *compaction) prepare(
	ctx context.Context, ids []kalam.SegmentID,
) (segment *kalam.Segment, gain bool, err error) {
	point, views, err := c.work.store.Views(ctx, []buffer.TableScope{{Table: c.table, Scope: c.scope}})
	if err != nil {
		return nil, false, err
	}
	defer point.Release()            // Before the commit, so that it alone keeps no file.
	c.table = c.work.newest(c.table) // Segments may be of a newer version than that before the point was fixed.
	if !c.find(views[0].Stored(), ids) {
		return nil, false, nil
	}
	if err := c.choose(ctx, views[0]); err != nil {
		return nil, false, err
	}
	if len(c.run) < 2 && c.overwritten+c.forgotten == 0 && !c.work.misplaced(c.table, c.scope.User, c.old) {
		plain, err := c.work.segments.Layouts(c.table).Tells(&c.old[0])
		if err != nil || plain {
			return nil, false, err
		}
	}
	if err := c.collect(ctx); err != nil {
		return nil, false, err
	}
	if len(c.keys) == 0 {
		return nil, true, nil
	}
	written, err := c.write(ctx)
	if err != nil {
		c.work.staged.release(c.staged)
	}
	return &written, true, err
}

// find finds the run among the scope's segments. It is not there when the table
// was emptied meanwhile.
func (c *compaction) find(stored []buffer.SegmentView, ids []kalam.SegmentID) bool {
	for i := range stored {
		if stored[i].Segment.ID != ids[0] {
			continue
		}
		if i+len(ids) > len(stored) || stored[i+len(ids)-1].Segment.ID != ids[len(ids)-1] {
			return false
		}
		c.earlier, c.run = stored[:i], stored[i:i+len(ids)]
		for _, s := range c.run {
			c.old = append(c.old, *s.Segment)
		}
		return true
	}
	return false
}

// choose decides which rows are left out: those that a later write in the lake
// replaced, and tombstones past their retention that shadow nothing. Rows that
// only the log replaced stay until the flush, for readers of the files.
func (c *compaction) choose(ctx context.Context, v *buffer.View) error {
	newest, err := c.work.segments.Newest(ctx, v)
	if err != nil {
		return err
	}
	for i, s := range c.run {
		removed := roaring.New()
		if s.Dead != nil {
			removed = roaring.AndNot(s.Dead, newest[len(c.earlier)+i])
		}
		c.overwritten += int64(removed.GetCardinality())
		forgotten, err := c.forget(ctx, s)
		if err != nil {
			return err
		}
		removed.Or(forgotten)
		c.forgotten += int64(forgotten.GetCardinality())
		c.removed = append(c.removed, buffer.CompactedSegment{ID: s.Segment.ID, Removed: removed})
	}
	return nil
}

// forget returns the tombstones of a segment that are not kept and of
// whose key no earlier segment holds a version. Ours would not need them even
// then, but who reads the files only, by newest _seq, would find the old version.
func (c *compaction) forget(ctx context.Context, s buffer.SegmentView) (*roaring.Bitmap, error) {
	out := roaring.New()
	if s.Tombstones == nil || s.Segment.MinSeq >= c.keep {
		return out, nil
	}
	living := s.Tombstones
	if s.Dead != nil {
		living = roaring.AndNot(living, s.Dead)
	}
	if living.IsEmpty() {
		return out, nil
	}
	var keys [][]byte
	var rows []uint32
	var seqs []kalam.Seq
	err := c.work.segments.EachKey(ctx, s.Segment, func(k keyindex.Entry) error {
		if k.Seq < c.keep && living.Contains(k.Row) {
			keys, rows, seqs = append(keys, append([]byte(nil), k.Key...)), append(rows, k.Row), append(seqs, k.Seq)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	shadows := make([]bool, len(keys))
	for i := range c.earlier {
		found, err := c.work.segments.Find(ctx, c.earlier[i].Segment, keys)
		if err != nil {
			return nil, err
		}
		for k := range found {
			shadows[k] = shadows[k] || found[k] >= 0
		}
	}
	for k, row := range rows {
		if !shadows[k] {
			out.Add(row)
			c.newest = max(c.newest, seqs[k])
		}
	}
	return out, nil
}

// collect makes the key list of the new file out of those of the old ones.
func (c *compaction) collect(ctx context.Context) error {
	var arena keyArena
	total := int64(0)
	for i, s := range c.run {
		removed := c.removed[i].Removed
		if s.Tombstones != nil {
			c.tombstones += int64(roaring.AndNot(s.Tombstones, removed).GetCardinality())
		}
		first := uint32(total)
		total += s.Segment.Rows - int64(removed.GetCardinality())
		err := c.work.segments.EachKey(ctx, s.Segment, func(k keyindex.Entry) error {
			if removed.Contains(k.Row) {
				return nil
			}
			if len(c.keys) == 0 || k.Seq < c.minSeq {
				c.minSeq = k.Seq
			}
			c.maxSeq = max(c.maxSeq, k.Seq)
			row := first + k.Row - uint32(removed.Rank(k.Row))
			c.keys = append(c.keys, keyindex.Entry{Key: arena.copy(k.Key), Row: row, Seq: k.Seq})
			return nil
		})
		if err != nil {
			return err
		}
		if int64(len(c.keys)) != total {
			return kalam.Errorf(kalam.CodeCorrupt,
				"%s: its keys are not those of its rows: %d instead of %d; kalamd verify tells what is damaged",
				s.Segment.Path, int64(len(c.keys))-int64(first), total-int64(first))
		}
	}
	return nil
}

// keyArena copies keys into pieces of memory that are larger than they.
type keyArena []byte

func (a *keyArena) copy(key []byte) []byte {
	const piece = 64 << 10
	if cap(*a)-len(*a) < len(key) {
		*a = make([]byte, 0, max(piece, len(key)))
	}
	n := len(*a)
	*a = append(*a, key...)
	return (*a)[n:len(*a):len(*a)]
}

// after returns the highest seq before the run, 0 when nothing is before it.
func (c *compaction) after() kalam.Seq {
	if len(c.earlier) == 0 {
		return 0
	}
	return c.earlier[len(c.earlier)-1].Segment.MaxSeq
}

// write makes the new segment's files durable under their final names.
func (c *compaction) write(ctx context.Context) (_ kalam.Segment, err error) {
	w := c.work
	pending, err := w.lake.NewSegmentIn(ctx, w.storageOf(c.table, c.scope.User), c.table, c.scope.User, c.maxSeq)
	if err != nil {
		return kalam.Segment{}, err
	}
	c.staged = segments.NewKey(pending.Storage(), pending.Path())
	w.staged.add(c.staged)
	spec := query.CopySpec{
		Path: pending.LocalTemp(), Schema: datatype.TableSchema(c.table), FieldIDs: datatype.FieldIDs(c.table),
		RowGroup: flushRowGroup, Metadata: pending.Metadata(c.minSeq),
	}
	parquet.AddReplaced(spec.Metadata, c.after(), c.old[len(c.old)-1].MaxSeq)
	layouts := w.segments.Layouts(c.table)
	var lent segments.Files
	defer lent.Release()
	w.segments.Prefetch(ctx, pointers(c.old))
	for i := range c.old {
		path, err := lent.Lend(ctx, w.segments, &c.old[i])
		if err != nil {
			return kalam.Segment{}, errors.Join(err, pending.Abort())
		}
		layout, err := layouts.Of(&c.old[i])
		if err != nil {
			return kalam.Segment{}, errors.Join(err, pending.Abort())
		}
		spec.Files = append(spec.Files, query.File{Path: path, Layout: layout, Dead: c.removed[i].Removed})
	}
	_, err = w.copier.CopyParquet(ctx, spec)
	if changed := lent.Changed(ctx, err); changed != nil {
		err = changed // What was copied is not what was checked.
	}
	if err == nil {
		err = pending.CheckOrder(ctx, c.keys)
	}
	if err != nil {
		return kalam.Segment{}, errors.Join(err, pending.Abort())
	}
	return pending.Commit(ctx, c.keys, lake.SegmentMeta{
		MinSeq: c.minSeq, MaxSeq: c.maxSeq, Rows: int64(len(c.keys)), Tombstones: c.tombstones,
	})
}

func pointers(list []kalam.Segment) []*kalam.Segment {
	out := make([]*kalam.Segment, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// commit puts the new segment in place of the old ones, then does what can be
// repeated: manifest.json, and the files of the old ones unless they are read.
func (c *compaction) commit(ctx context.Context, segment *kalam.Segment) error {
	w := c.work
	note := w.obsolete.add(c.scope, c.old)
	_, err := w.store.CommitCompaction(ctx, buffer.CompactCommit{
		Table: c.table, Scope: c.scope, Old: c.removed, Segment: segment, Forgotten: c.newest,
		Unread: func() { w.obsolete.free(note) },
	})
	if err != nil {
		w.obsolete.forget(note)
		if errors.Is(err, buffer.ErrRefused) {
			return c.withdraw(ctx, segment, err)
		}
		return err // The file may be named by what a crash leaves of the commit: it stays staged.
	}
	w.obsolete.commit(note)
	w.staged.release(c.staged)
	if err := w.writeManifest(ctx, c.table, c.scope); err != nil {
		w.log.Warn("manifest.json not written; the next flush repeats it, and what it names stays until then",
			"table", c.table.ID.String(), "error", err)
	}
	w.removeObsolete(ctx)
	return nil
}

// withdraw removes the files of a segment that nothing names, after err.
func (c *compaction) withdraw(ctx context.Context, segment *kalam.Segment, err error) error {
	c.work.staged.release(c.staged)
	if segment == nil {
		return err
	}
	return errors.Join(err, c.work.lake.Remove(context.WithoutCancel(ctx), segment))
}
