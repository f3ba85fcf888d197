package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// AdoptScope rebuilds the record of a scope from its files: which of them are its
// segments, and of each the rows that a later one replaced. The newest version of each
// key counts, so the answer is that of the last flush. It changes nothing; Restore
// writes the key index files that were missing or damaged.
//
// A manifest.json that fits its files decides about rows up to its last seq: what it
// does not name was replaced, or deleted so long ago that even the tombstone is gone.
// Files that it does not name add what is newer. Without one that can be trusted all
// files count, which is the same unless an old file outlived a newer one.
func (s *Survey) AdoptScope(ctx context.Context, found *FoundScope) (*AdoptedScope, error) {
	a := &adoption{storage: s.storage, found: found, out: &AdoptedScope{
		Damaged: map[string]error{}, Counts: map[kalam.ColumnID]int64{},
	}}
	defer a.close()
	if err := a.openSources(ctx); err != nil {
		return nil, err
	}
	if err := a.chooseManifest(ctx); err != nil {
		return nil, err
	}
	if err := a.decide(ctx); err != nil {
		return nil, err
	}
	return a.out, nil
}

// openSources reads every file of the scope whole.
func (a *adoption) openSources(ctx context.Context) error {
	for _, f := range a.found.Segments {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		a.out.Watermark = max(a.out.Watermark, f.Segment.MaxSeq)
		s, err := a.openSource(ctx, f)
		if err != nil {
			return err
		}
		damage := f.Damage
		if s != nil {
			a.sources = append(a.sources, s)
			damage = s.damage
		} else {
			a.opaque = append(a.opaque, f)
		}
		if damage != nil && !f.Missing {
			a.out.Damaged[f.Segment.Path] = damage
		}
	}
	return nil
}

// openSource verifies the file against the checksums of its key index file, or reads its keys
// anew. It returns nil when not even the keys are known; then the file has Damage.
func (a *adoption) openSource(ctx context.Context, f *FoundSegment) (*keySource, error) {
	s := &keySource{file: f, damage: f.Damage}
	side, keysSum, sideErr := a.openSide(ctx, f)
	if sideErr != nil && kalam.CodeOf(sideErr) != kalam.CodeCorrupt && kalam.CodeOf(sideErr) != kalam.CodeUnsupported {
		return nil, sideErr
	}
	if s.side = side; side != nil {
		s.sums = kalam.SegmentSums{File: side.Checksums().Sum(), Keys: keysSum, KeysBytes: side.Size()}
	}
	if s.damage == nil {
		err := a.examine(ctx, s)
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt && kalam.CodeOf(err) != kalam.CodeUnsupported {
			return nil, errors.Join(err, s.closeSide())
		}
		s.damage = err
	}
	switch {
	case s.damage == nil && s.side == nil:
		a.note("%s: %v; it is made anew", layout.KeyIndexPath(f.Segment.Path), sideErr)
	case s.side == nil:
		f.Damage = s.damage
		return nil, nil
	}
	return s, nil
}

// openSide opens and verifies the key index file of a file, and returns its checksum. That of
// a file whose footer cannot be read tells its rows, size and table itself.
func (a *adoption) openSide(ctx context.Context, f *FoundSegment) (_ *keyindex.File, sum uint32, err error) {
	seg := f.Segment
	if f.Damage != nil {
		if seg, err = a.segmentOfKeyIndex(ctx, f); err != nil {
			return nil, 0, err
		}
	}
	side, err := lake.OpenKeyIndex(ctx, a.storage, &seg)
	if err != nil {
		return nil, 0, err
	}
	sum, err = side.Scrub(ctx, &seg, nil)
	if err := errors.Join(side.CheckHead(), err); err != nil {
		return nil, sum, errors.Join(err, side.Close())
	}
	return side, sum, nil
}

func (a *adoption) segmentOfKeyIndex(ctx context.Context, f *FoundSegment) (seg kalam.Segment, err error) {
	seg = f.Segment
	head, err := lake.ReadKeyIndexHead(ctx, a.storage, layout.KeyIndexPath(seg.Path))
	if err != nil {
		return seg, lake.MissingIsCorrupt(layout.KeyIndexPath(seg.Path), err)
	}
	if head.Table != a.found.Table.Number {
		return seg, integrity.Corrupt(layout.KeyIndexPath(seg.Path), "it belongs to table %d", head.Table)
	}
	seg.Table, seg.Bytes, seg.Rows, seg.MinSeq = head.Table, head.Bytes, head.Rows, head.LowestSeq
	return seg, nil
}

// examine verifies all bytes of a Parquet file and reads which rows are tombstones;
// without key index file it decodes everything, and the keys with it.
func (a *adoption) examine(ctx context.Context, s *keySource) (err error) {
	seg := &s.file.Segment
	object, err := a.storage.Open(ctx, seg.Path)
	if err != nil {
		return lake.MissingIsCorrupt(seg.Path, err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	var blocks integrity.Blocks
	if s.side != nil {
		blocks = s.side.Checksums()
	}
	f := parquet.New(seg.Path, object, blocks)
	if s.side == nil {
		if err := f.CheckSums(ctx, seg); err != nil { // It makes them.
			return err
		}
		keys, _, err := f.Keys(ctx, a.found.Table)
		if err != nil {
			return err
		}
		if s.keys, err = keyindex.Prepare(keys, seg.Rows, seg.MinSeq, seg.MaxSeq); err != nil {
			return integrity.Corrupt(seg.Path, "%w", err)
		}
		s.pieces = f.Checksums()
	} else {
		if err := errors.Join(f.Open(seg), f.CheckHead()); err != nil {
			return err
		}
		if err := f.Scrub(ctx, nil); err != nil {
			return err
		}
	}
	s.sums.Footer = f.FooterChecksum()
	summary, err := f.Summarize(ctx, a.found.Table, seg)
	if err != nil {
		return err
	}
	s.tombstones = summary.Tombstones
	for id, n := range summary.Counts {
		a.out.Counts[id] = max(a.out.Counts[id], n)
	}
	return nil
}

// decide chooses the segments and finds their dead rows.
func (a *adoption) decide(ctx context.Context) error {
	a.judgeOpaque()
	c, err := a.weigh(ctx)
	if err != nil {
		return err
	}
	for _, i := range c.blocked {
		a.lack(a.sources[i].file.Segment.Path, a.sources[i].damage)
	}
	if len(c.blocked) > 0 { // What can be had without them.
		a.sources = slices.DeleteFunc(a.sources, func(s *keySource) bool {
			if s.damage == nil {
				return false
			}
			if s.named {
				a.manifest.incomplete = true
			}
			_ = s.closeSide() // It was only read.
			return true
		})
		if c, err = a.weigh(ctx); err != nil {
			return err
		}
	}
	if overlap := c.choose(a.sources); overlap {
		a.note("the segments of the scope overlap in their seqs; that is no fault of their rows")
	}
	if err := a.findDead(ctx); err != nil {
		return err
	}
	return a.collect(ctx)
}

// judgeOpaque finds out about files of which not even the keys are known, and those
// that are missing, whether their rows are elsewhere.
func (a *adoption) judgeOpaque() {
	for _, f := range a.opaque {
		n, named := a.manifest.segment(f.Segment.Path)
		switch {
		case !named && a.manifest.complete() && f.Segment.MaxSeq <= a.manifest.last:
		case named && a.replaced(n):
		default:
			a.lack(f.Segment.Path, f.Damage)
		}
	}
	if a.manifest == nil {
		return
	}
	for _, n := range a.manifest.missing {
		if !a.replaced(n) {
			a.lack(n.path, fmt.Errorf("it is missing, and %s names it", a.manifest.path))
		}
	}
}

// replaced reports whether a file that can be read is a compaction of the segment that
// a manifest.json names. It says so; where it is of an older version, that follows from
// its seqs: segments of a record do not overlap, and a compaction takes whole ones, so a
// later file that reaches into the seqs of one has all of it.
func (a *adoption) replaced(n *namedSegment) bool {
	for _, s := range a.sources {
		seg := &s.file.Segment
		if s.damage != nil || seg.Path == n.path {
			continue
		}
		if s.file.replaces.Has(n.min) && s.file.replaces.Has(n.max) {
			return true
		}
		later := seg.CreatedAt.After(n.created) ||
			seg.CreatedAt.Equal(n.created) && seg.MinSeq <= n.min && seg.MaxSeq >= n.max
		if seg.MinSeq <= n.max && seg.MaxSeq >= n.min && later {
			return true
		}
	}
	return false
}

// collect makes the record out of what was chosen.
func (a *adoption) collect(ctx context.Context) error {
	for _, s := range a.sources {
		if s.file.Missing {
			a.out.Unneeded = append(a.out.Unneeded, layout.KeyIndexPath(s.file.Segment.Path))
		}
		if s.damage != nil {
			continue
		}
		if !s.chosen {
			a.out.Unneeded = append(a.out.Unneeded, s.file.Segment.Path)
			continue
		}
		seg := AdoptedSegment{Segment: s.file.Segment, Dead: s.dead, Tombstones: s.tombstones}
		seg.Tombstones.RunOptimize()
		seg.Dead.RunOptimize()
		seg.Segment.Tombstones = int64(s.tombstones.GetCardinality())
		var err error
		if seg.MinKey, seg.MaxKey, err = s.keyRange(ctx); err != nil {
			return err
		}
		if seg.Segment.Sums = s.sums; s.side == nil {
			if seg.keyIndex, seg.Segment.Sums, err = keyindex.Encode(&seg.Segment, s.keys, s.pieces); err != nil {
				return err
			}
			seg.Segment.Sums.Footer = s.sums.Footer
		}
		a.out.Living += seg.Rows - int64(roaring.Or(s.dead, s.tombstones).GetCardinality())
		a.out.Segments = append(a.out.Segments, seg)
		if created := seg.CreatedAt; a.out.CreatedAt.IsZero() || created.Before(a.out.CreatedAt) {
			a.out.CreatedAt = created
		}
		if seg.CreatedAt.After(a.out.UpdatedAt) {
			a.out.UpdatedAt = seg.CreatedAt
		}
	}
	slices.SortFunc(a.out.Segments, func(x, y AdoptedSegment) int {
		return cmp.Or(cmp.Compare(x.MinSeq, y.MinSeq), cmp.Compare(x.MaxSeq, y.MaxSeq))
	})
	for i := range a.out.Segments {
		a.out.Segments[i].ID = kalam.SegmentID(i + 1)
	}
	if a.manifest != nil {
		a.out.CreatedAt = a.manifest.created
		if a.manifest.updated.After(a.out.UpdatedAt) { // The record follows it: until it is written anew it is an earlier one.
			a.out.UpdatedAt = a.manifest.updated
		}
	}
	slices.Sort(a.out.Unneeded)
	slices.Sort(a.out.Lacking)
	return nil
}

// Restore writes the key index files of a scope that were missing or damaged.
func (s *Survey) Restore(ctx context.Context, scope *AdoptedScope) error {
	for i := range scope.Segments {
		seg := &scope.Segments[i]
		if seg.keyIndex == nil {
			continue
		}
		p := layout.KeyIndexPath(seg.Path)
		if err := s.storage.Replace(ctx, p, seg.keyIndex); err != nil {
			return fmt.Errorf("write %s: %w", path.Base(p), err)
		}
		s.lake.Forget(&seg.Segment)
	}
	return nil
}
