package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/lake"
)

// records checks every manifest of record, and notes the segments that they name. Those of dropped tables, and of
// users that are being removed, are only names: their files may be gone.
func (v *verifier) records(ctx context.Context) error {
	for m, err := range buffer.ScopeRecords(ctx, v.Snapshot) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if kalam.CodeOf(err) != kalam.CodeCorrupt {
				return err
			}
			v.problem(KindRecord, "%v", err)
			continue
		}
		live := v.stored.Live(m.Scope)
		if live {
			v.result.Users++
			v.newest = max(v.newest, m.Record.Watermark)
			v.order(&m)
			v.vectors(&m)
		}
		for i := range m.Record.Segments {
			seg := &m.Record.Segments[i]
			key := segmentKey{cmp.Or(seg.Storage, kalam.LocalStorage), seg.Path}
			if other, taken := v.named[key]; taken {
				v.problem(KindRecord, "%s: tables %d and %d, users '%s' and '%s' name it both",
					seg.Path, other.Table, m.Scope.Table, other.User, m.Scope.User)
			}
			v.named[key] = m.Scope
			if live {
				v.list = append(v.list, namedSegment{m.Scope, *seg})
			}
		}
		if live {
			if err := v.manifest(ctx, &m); err != nil {
				return err
			}
		}
	}
	return nil
}

// order checks that the segments of a manifest follow each other, and are of their table.
func (v *verifier) order(m *buffer.StoredRecord) {
	t := v.stored.Tables[m.Scope.Table]
	last := kalam.Seq(0)
	for i := range m.Record.Segments {
		seg := &m.Record.Segments[i]
		if seg.Table != m.Scope.Table {
			v.problem(KindRecord, "%s: the manifest of table %s says that it belongs to table %d", seg.Path, t.ID, seg.Table)
		}
		if seg.MinSeq > seg.MaxSeq || seg.MinSeq <= last || seg.MaxSeq > m.Record.Watermark {
			v.problem(KindRecord, "%s: the manifest of table %s, user '%s' says that its seqs are %d to %d, after %d and "+
				"up to %d at most",
				seg.Path, t.ID, m.Scope.User, seg.MinSeq, seg.MaxSeq, last, m.Record.Watermark)
		}
		if seg.SchemaVersion > t.SchemaVersion {
			v.problem(KindRecord, "%s: the manifest of table %s says that version %d of the table wrote it, the newest is %d",
				seg.Path, t.ID, seg.SchemaVersion, t.SchemaVersion)
		}
		last = seg.MaxSeq
	}
}

// vectors checks that the rows which a manifest skips are rows of its segments.
func (v *verifier) vectors(m *buffer.StoredRecord) {
	for i := range m.Record.Segments {
		seg, rows := &m.Record.Segments[i], m.Rows[i]
		for _, b := range []*roaring.Bitmap{rows.Dead, rows.Tombstones} {
			if b != nil && !b.IsEmpty() && int64(b.Maximum()) >= seg.Rows {
				v.problem(KindRecord, "%s: its delete vector names row %d, and it has %d rows", seg.Path, b.Maximum(), seg.Rows)
			}
		}
		tombstones := int64(0)
		if rows.Tombstones != nil {
			tombstones = int64(rows.Tombstones.GetCardinality())
		}
		if tombstones != seg.Tombstones {
			v.problem(KindRecord, "%s: its delete vector has %d tombstones, and it has %d", seg.Path, tombstones, seg.Tombstones)
		}
	}
}

// scopeManifest returns what manifest.json of a scope is made of.
func (v *verifier) scopeManifest(m *buffer.StoredRecord) lake.ScopeManifest {
	t := v.stored.Tables[m.Scope.Table]
	r := &m.Record
	return lake.ScopeManifest{
		Table: t, User: m.Scope.User, Storage: v.Catalog.StorageOf(t, m.Scope.User),
		Manifest: lake.Manifest{
			Version: int64(r.Version), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, Segments: r.Segments,
		},
	}
}

// manifest compares the manifest.json of a scope with the record.
func (v *verifier) manifest(ctx context.Context, m *buffer.StoredRecord) error {
	of := v.scopeManifest(m)
	if !of.Table.Flushable() || m.Record.Version == 0 || v.silent[of.Storage] {
		return nil
	}
	p, state, err := v.Lake.CheckManifest(ctx, of)
	f := Finding{Storage: of.Storage, Path: p, scope: m.Scope, manifest: &of}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case kalam.CodeOf(err) == kalam.CodeUnavailable:
		v.unavailable(of.Storage, err)
	case err != nil:
		f.Kind, f.Text = KindManifest, fmt.Sprintf("%s, which outside readers go by, cannot be trusted: %v", p, err)
		v.found(f)
	case state == lake.ManifestStale:
		f.Kind, f.Text = KindStale, p+" is of an earlier version than the record"
		v.found(f)
	case state == lake.ManifestMissing:
		f.Kind, f.Text = KindStale, p+" is missing"
		v.found(f)
	}
	return nil
}

// unavailable notes, once, a storage that does not answer.
func (v *verifier) unavailable(id kalam.StorageID, err error) {
	if !v.silent[id] {
		v.silent[id] = true
		v.found(Finding{Kind: KindStorage, Storage: id, Text: fmt.Sprintf("storage '%s' could not be looked at: %v", id,
			err)})
	}
}

// progressEvery is after how many segments the progress is told.
const progressEvery = 16

// segments reads both files of every segment.
func (v *verifier) segments(ctx context.Context) error {
	for i := range v.list {
		if i%progressEvery == 0 {
			v.progress(i)
		}
		if err := v.segment(ctx, &v.list[i]); err != nil {
			return err
		}
	}
	v.progress(len(v.list))
	return nil
}

// segment reads both files of a segment. An error is that of a context that ended.
func (v *verifier) segment(ctx context.Context, n *namedSegment) error {
	seg := &n.segment
	id := cmp.Or(seg.Storage, kalam.LocalStorage)
	v.result.Segments++
	v.result.Bytes += seg.Bytes + seg.Sums.KeysBytes
	if v.silent[id] {
		return nil
	}
	_, err := v.Lake.Scrub(ctx, seg, nil)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case kalam.CodeOf(err) == kalam.CodeUnavailable:
		v.unavailable(id, err)
		return nil
	}
	f := Finding{Kind: KindSegment, Storage: id, Path: seg.Path, scope: n.scope, segment: seg}
	words := ""
	if errors.Is(err, lake.ErrNoKeyIndex) {
		words = "; a server makes it anew when it needs it, if the Parquet file is whole"
	}
	f.Text = fmt.Sprintf("table %s, user '%s': %v%s", v.stored.Tables[n.scope.Table].ID, n.scope.User, err, words)
	if v.wholeParquet(ctx, seg) {
		f.Kind = KindKeys
	}
	v.found(f)
	return nil
}

// wholeParquet reports whether the Parquet file of a segment is what the record says, so that its key index file can
// be made anew.
func (v *verifier) wholeParquet(ctx context.Context, seg *kalam.Segment) bool {
	return v.Lake.ScrubParquet(ctx, seg) == nil
}
