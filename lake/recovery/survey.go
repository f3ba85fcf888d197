package recovery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// Survey is what the files of a storage say of themselves: what is left of a lake
// whose write buffer is gone.
type Survey struct {
	Segments  []*FoundSegment  // By path.
	Manifests []*FoundManifest // Likewise.
	// Loose are files of ours in folders that the templates give to no table, and
	// key index files whose Parquet file a crash kept from getting its name.
	Loose []string

	lake      *lake.Lake
	id        kalam.StorageID
	storage   lake.Storage
	templates layout.Templates
	found     definitions
}

// definitions are the tables that files define.
type definitions struct {
	byText map[string]*kalam.Table
	names  map[*kalam.Table]kalam.TableName // Of those that have another name than their folder.
}

// FoundSegment is a Parquet file that looks like a segment.
type FoundSegment struct {
	Place layout.Place
	// Segment is what the file says of itself; only Storage, Path, Bytes and CreatedAt,
	// and MaxSeq by its name, when Damage is set. It has no key range yet.
	Segment kalam.Segment
	// Table is the version of the table that it was written for, nil with Damage.
	Table *kalam.Table
	// Derived says that the file does not define its table: the columns are what they
	// are in the file, the rest of Table is not known.
	Derived bool
	Damage  error // Why the file cannot be used.
	// Missing says that only the key index file is there: the file was lost, or it was being
	// removed when the server ended.
	Missing bool

	replaces parquet.SeqSpan // Of a compaction.
}

// FoundManifest is a manifest.json.
type FoundManifest struct {
	Place layout.Place
	Path  string
	Bytes int64
}

// NewSurvey reads the footers of all segments of a storage. It changes nothing, and
// needs neither the write buffer nor the catalog.
func NewSurvey(ctx context.Context, l *lake.Lake, storage kalam.StorageID) (*Survey, error) {
	found, templates, err := l.Storage(storage)
	if err != nil {
		return nil, err
	}
	s := &Survey{
		lake: l, id: cmp.Or(storage, kalam.LocalStorage), storage: found, templates: templates,
		found: definitions{byText: map[string]*kalam.Table{}, names: map[*kalam.Table]kalam.TableName{}},
	}
	var keyIndexes []string // Whose segments were not met yet.
	present := map[string]bool{}
	err = s.storage.List(ctx, "", func(e lake.Entry) error {
		kind, owner := layout.Classify(e.Path)
		place, ok := s.templates.PlaceOf(path.Dir(e.Path))
		switch {
		case kind == layout.OtherFile, kind == layout.CatalogFile:
		case kind == layout.StagedFile:
			present[owner] = true
		case !ok:
			s.Loose = append(s.Loose, e.Path)
		case kind == layout.SegmentFile:
			present[owner] = true
			s.Segments = append(s.Segments, s.newFoundSegment(place, e))
		case kind == layout.KeyIndexFile:
			keyIndexes = append(keyIndexes, owner)
		case kind == layout.ManifestFile:
			s.Manifests = append(s.Manifests, &FoundManifest{Place: place, Path: e.Path, Bytes: e.Bytes})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.addMissing(keyIndexes, present)
	slices.Sort(s.Loose)
	slices.SortFunc(s.Segments, func(a, b *FoundSegment) int { return cmp.Compare(a.Segment.Path, b.Segment.Path) })
	slices.SortFunc(s.Manifests, func(a, b *FoundManifest) int { return cmp.Compare(a.Path, b.Path) })
	return s, s.readFooters(ctx)
}

// addMissing adds the segments of which only the key index file is there. A file gets its name
// after its key index file: what is still a staged object was never part of the lake.
func (s *Survey) addMissing(keyIndexes []string, present map[string]bool) {
	segments := make(map[string]bool, len(s.Segments))
	for _, f := range s.Segments {
		segments[f.Segment.Path] = true
	}
	for _, p := range keyIndexes {
		place, ok := s.templates.PlaceOf(path.Dir(p))
		switch {
		case segments[p] || !ok:
		case present[p]:
			s.Loose = append(s.Loose, layout.KeyIndexPath(p))
		default:
			f := s.newFoundSegment(place, lake.Entry{Path: p})
			f.Missing, f.Damage = true, integrity.Corrupt(p, "only its key index file is there")
			s.Segments = append(s.Segments, f)
		}
	}
}

func (s *Survey) newFoundSegment(place layout.Place, e lake.Entry) *FoundSegment {
	f := &FoundSegment{Place: place, Segment: kalam.Segment{
		Storage: s.id, Path: e.Path, Bytes: e.Bytes, MaxSeq: layout.SeqOfName(e.Path),
	}}
	if created, ok := layout.TimeOfName(e.Path); ok {
		f.Segment.CreatedAt = created
	}
	return f
}

// readFooters reads what the segments say. Equal definitions share one Table.
func (s *Survey) readFooters(ctx context.Context) error {
	for _, f := range s.Segments {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if f.Missing {
			continue
		}
		err := f.read(ctx, s.storage, &s.found)
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt && kalam.CodeOf(err) != kalam.CodeUnsupported {
			return fmt.Errorf("read %s: %w", f.Segment.Path, err)
		}
		f.Damage = err
	}
	return nil
}

// read reads the footer of the file.
func (f *FoundSegment) read(ctx context.Context, s lake.Storage, found *definitions) (err error) {
	object, err := s.Open(ctx, f.Segment.Path)
	if err != nil {
		return lake.MissingIsCorrupt(f.Segment.Path, err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	p := parquet.New(f.Segment.Path, object, integrity.Blocks{})
	if err := p.ReadFooter(); err != nil {
		return err
	}
	seg := f.Segment
	seg.User = f.Place.User
	for _, n := range []struct {
		key string
		set func(uint64)
	}{
		{parquet.MetaTableNumber, func(n uint64) { seg.Table = kalam.TableNumber(n) }},
		{parquet.MetaSchemaVersion, func(n uint64) { seg.SchemaVersion = int(n) }},
		{parquet.MetaMinSeq, func(n uint64) { seg.MinSeq = kalam.Seq(n) }},
		{parquet.MetaMaxSeq, func(n uint64) { seg.MaxSeq = kalam.Seq(n) }},
	} {
		v, err := p.Number(n.key)
		if err != nil {
			return err
		}
		if v == 0 {
			return integrity.Corrupt(seg.Path, "it does not say its %s", n.key)
		}
		n.set(v)
	}
	seg.Bytes, seg.Rows = object.Size(), p.Rows()
	if err := f.checkPlace(p, &seg); err != nil {
		return err
	}
	if f.replaces, err = p.Replaces(); err != nil {
		return err
	}
	if f.Table, f.Derived, err = tableIn(p, f.Place, &seg, found); err != nil {
		return err
	}
	f.Segment = seg
	return nil
}

// maxSchemaVersion bounds the schema versions that are believed.
const maxSchemaVersion = 1 << 20

// checkPlace refuses a file that belongs elsewhere, by what it says and by its name.
func (f *FoundSegment) checkPlace(p *parquet.File, seg *kalam.Segment) error {
	at := f.Segment.Path
	switch name, _ := p.Text(parquet.MetaTable); {
	case name != f.Place.Table.String():
		return integrity.Corrupt(at, "it is not of table %s, whose folder it is in", f.Place.Table)
	case seg.MaxSeq != layout.SeqOfName(at):
		return integrity.Corrupt(at,
			"its highest _seq is %d, which is not that of its name: it belongs to another segment",
			seg.MaxSeq)
	case seg.MinSeq > seg.MaxSeq || seg.Rows < 1 || seg.Rows > 1<<32 || seg.SchemaVersion > maxSchemaVersion:
		return integrity.Corrupt(at, "it says that it has %d rows with the seqs %d to %d of schema version %d",
			seg.Rows, seg.MinSeq, seg.MaxSeq, seg.SchemaVersion)
	}
	if user, ok := p.Text(parquet.MetaUser); ok && user != string(f.Place.User) {
		return integrity.Corrupt(at, "it belongs to another user than that of its folder")
	}
	return nil
}

// tableIn returns the version of the table that the file was written for: as it is
// defined in the file, or what its columns tell.
func tableIn(
	f *parquet.File, place layout.Place, seg *kalam.Segment, found *definitions,
) (*kalam.Table, bool, error) {
	columns, err := f.ColumnsIn()
	if err != nil {
		return nil, false, err
	}
	text, _ := f.Text(parquet.MetaDefinition)
	derived := text == ""
	if derived {
		raw, err := json.Marshal(columns)
		if err != nil {
			return nil, true, integrity.Corrupt(seg.Path, "its columns: %w", err)
		}
		text = string(raw)
	}
	key := fmt.Sprintf("%d %d %d %s %s", seg.Table, seg.SchemaVersion, place.Kind, place.Table, text)
	if t, ok := found.byText[key]; ok {
		return t, derived, nil
	}
	t := &kalam.Table{Kind: place.Kind, Columns: columns, Options: kalam.TableOptions{StorageID: kalam.LocalStorage}}
	if !derived {
		if t, err = parquet.DecodeDefinition(text); err != nil {
			return nil, false, kalam.Wrap(kalam.CodeOf(err), err, "%s does not define its table", seg.Path)
		}
		if t.Kind != place.Kind || !f.HasColumns(t) {
			return nil, false, integrity.Corrupt(seg.Path, "its columns are not those of its definition")
		}
	}
	if t.ID.Name != "" {
		found.names[t] = t.ID.Name
	}
	t.ID, t.Number, t.SchemaVersion = place.Table, seg.Table, seg.SchemaVersion
	found.byText[key] = t
	return t, derived, nil
}

// IsTrash reports whether the storage has files in its trash, which a survey does
// not look at.
func (s *Survey) IsTrash(ctx context.Context) (found bool, err error) {
	errFound := errors.New("found")
	err = s.storage.List(ctx, layout.TrashFolder, func(e lake.Entry) error {
		if layout.IsSegmentName(path.Base(e.Path)) {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// FoundScope is what a survey found of one user's rows of a table.
type FoundScope struct {
	Table     *kalam.Table // The newest version.
	User      kalam.UserID
	Segments  []*FoundSegment
	Manifests []*FoundManifest
}
