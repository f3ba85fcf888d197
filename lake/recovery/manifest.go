package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
)

// maxManifestVersion bounds the versions that are believed.
const maxManifestVersion = 1 << 48

// chooseManifest takes the newest manifest.json of the scope that can be trusted.
func (a *adoption) chooseManifest(ctx context.Context) error {
	for _, f := range a.found.Manifests {
		m, err := a.readManifest(ctx, f)
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			return err
		}
		if m != nil {
			a.out.Version = max(a.out.Version, m.version)
		}
		if err != nil {
			a.note("%v; the files decide without it", err)
			continue
		}
		if a.manifest == nil || m.version > a.manifest.version {
			a.manifest = m
		}
	}
	a.out.Version++
	m := a.manifest
	if m == nil {
		if len(a.found.Manifests) == 0 {
			folder := path.Dir(a.found.Segments[0].Segment.Path)
			a.note("%s is missing; the files decide without it", path.Join(folder, layout.ManifestName))
		}
		return nil
	}
	a.out.Watermark = max(a.out.Watermark, m.last)
	present := map[string]bool{}
	for _, s := range a.sources {
		_, s.named = m.segment(s.file.Segment.Path)
		present[s.file.Segment.Path] = true
	}
	for _, f := range a.opaque {
		present[f.Segment.Path] = true
		if _, named := m.segment(f.Segment.Path); named {
			m.incomplete = true
		}
	}
	for p, n := range m.segments {
		if !present[p] {
			m.missing = append(m.missing, n)
			m.incomplete = true
		}
	}
	slices.SortFunc(m.missing, func(x, y *namedSegment) int { return cmp.Compare(x.path, y.path) })
	return nil
}

// ReadManifest reads a manifest.json and compares it with the files. With an error it
// may still return the version.
func (a *adoption) readManifest(ctx context.Context, f *FoundManifest) (*namedScope, error) {
	file, err := lake.ReadManifest(ctx, a.storage, f.Path)
	if err != nil {
		if errors.Is(err, lake.ErrNotExist) {
			return nil, lake.MissingIsCorrupt(f.Path, err)
		}
		return nil, err
	}
	m := &namedScope{
		path: f.Path, created: time.UnixMilli(file.CreatedAt).UTC(), updated: time.UnixMilli(file.UpdatedAt).UTC(),
		last:     kalam.Seq(file.LastSequenceNumber),
		segments: make(map[string]*namedSegment, len(file.Segments)),
	}
	if file.Version < 1 || file.Version > maxManifestVersion {
		return nil, integrity.Corrupt(f.Path, "its version is %d", file.Version)
	}
	m.version = uint64(file.Version)
	owner := ""
	if file.UserID != nil {
		owner = *file.UserID
	}
	if file.TableID != f.Place.Table.String() || owner != string(f.Place.User) ||
		(file.UserID == nil) != (f.Place.Kind == kalam.KindSharedTable) {
		return nil, integrity.Corrupt(f.Path, "it is of another table or user")
	}
	for i := range file.Segments {
		n, err := entryOf(&file.Segments[i], path.Dir(f.Path))
		if err != nil {
			return m, integrity.Corrupt(f.Path, "segment %d: %w", i, err)
		}
		if m.segments[n.path] != nil {
			return m, integrity.Corrupt(f.Path, "it names %s twice", n.path)
		}
		m.segments[n.path] = n
	}
	return m, a.checkManifest(m, file)
}

// entryOf checks what can be checked of an entry alone.
func entryOf(s *lake.ManifestSegment, folder string) (*namedSegment, error) {
	n := &namedSegment{
		path: path.Join(folder, s.Path), min: kalam.Seq(s.MinSeq), max: kalam.Seq(s.MaxSeq),
		rows: s.RowCount, bytes: s.SizeBytes, schema: s.SchemaVersion,
	}
	base := path.Base(s.Path)
	if path.IsAbs(s.Path) || layout.CheckPath(n.path) != nil || base != s.ID || !layout.IsSegmentName(base) {
		return nil, fmt.Errorf("it has the name %.200q and the path %.200q", s.ID, s.Path)
	}
	if n.min > n.max || n.max != layout.SeqOfName(base) || n.rows < 1 || n.bytes < 1 {
		return nil, fmt.Errorf("%s has %d rows with the seqs %d to %d in %d bytes", base, n.rows, n.min, n.max, n.bytes)
	}
	n.created, _ = layout.TimeOfName(base) // It is the name of a segment.
	return n, nil
}

// checkManifest compares a manifest.json with itself and with the files.
func (a *adoption) checkManifest(m *namedScope, file *lake.ManifestJSON) error {
	var last kalam.Seq
	for i := range file.Segments {
		if min := kalam.Seq(file.Segments[i].MinSeq); i > 0 && min <= last {
			return integrity.Corrupt(m.path, "the seqs of its segments overlap")
		}
		last = kalam.Seq(file.Segments[i].MaxSeq)
	}
	if last != m.last {
		return integrity.Corrupt(m.path, "its last_sequence_number is %d instead of %d", m.last, last)
	}
	for _, s := range a.sources {
		seg := &s.file.Segment
		n := m.segments[seg.Path]
		if n == nil || s.file.Damage != nil || s.damage != nil {
			continue
		}
		if n.rows != seg.Rows || n.bytes != seg.Bytes || n.min != seg.MinSeq || n.max != seg.MaxSeq ||
			n.schema != seg.SchemaVersion {
			return integrity.Corrupt(m.path, "what it says of %s is not what is there", path.Base(seg.Path))
		}
	}
	return nil
}
