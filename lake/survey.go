package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
)

// Survey is what the files of a storage say of themselves: what is left of a lake
// whose write buffer is gone.
type Survey struct {
	Segments  []*FoundSegment  // By path.
	Manifests []*FoundManifest // Likewise.
	// Loose are files of ours in folders that the templates give to no table, and
	// key index files whose Parquet file a crash kept from getting its name.
	Loose []string

	at *location
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

	replaces seqSpan // Of a compaction.
}

// FoundManifest is a manifest.json.
type FoundManifest struct {
	Place layout.Place
	Path  string
	Bytes int64
}

// Survey reads the footers of all segments of a storage. It changes nothing, and
// needs neither the write buffer nor the catalog.
func (l *Lake) Survey(ctx context.Context, storage kalam.StorageID) (*Survey, error) {
	at, err := l.location(storage)
	if err != nil {
		return nil, err
	}
	s := &Survey{at: at}
	var keyIndexes []string // Whose segments were not met yet.
	present := map[string]bool{}
	err = at.Storage.List(ctx, "", func(e Entry) error {
		kind, owner := layout.Classify(e.Path)
		place, ok := at.templates.PlaceOf(path.Dir(e.Path))
		switch {
		case kind == layout.OtherFile:
		case kind == layout.StagedFile:
			present[owner] = true
		case !ok:
			s.Loose = append(s.Loose, e.Path)
		case kind == layout.SegmentFile:
			present[owner] = true
			s.Segments = append(s.Segments, newFoundSegment(at, place, e))
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
// after its key index file: what is still a draft was never part of the lake.
func (s *Survey) addMissing(keyIndexes []string, present map[string]bool) {
	segments := make(map[string]bool, len(s.Segments))
	for _, f := range s.Segments {
		segments[f.Segment.Path] = true
	}
	for _, p := range keyIndexes {
		place, ok := s.at.templates.PlaceOf(path.Dir(p))
		switch {
		case segments[p] || !ok:
		case present[p]:
			s.Loose = append(s.Loose, layout.KeyIndexPath(p))
		default:
			f := newFoundSegment(s.at, place, Entry{Path: p})
			f.Missing, f.Damage = true, integrity.Corrupt(p, "only its key index file is there")
			s.Segments = append(s.Segments, f)
		}
	}
}

func newFoundSegment(at *location, place layout.Place, e Entry) *FoundSegment {
	f := &FoundSegment{Place: place, Segment: kalam.Segment{
		Storage: at.ID, Path: e.Path, Bytes: e.Bytes, MaxSeq: layout.SeqOfName(e.Path),
	}}
	if created, ok := layout.TimeOfName(e.Path); ok {
		f.Segment.CreatedAt = created
	}
	return f
}

// readFooters reads what the segments say. Equal definitions share one Table.
func (s *Survey) readFooters(ctx context.Context) error {
	tables := map[string]*kalam.Table{}
	for _, f := range s.Segments {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if f.Missing {
			continue
		}
		err := f.read(ctx, s.at, tables)
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt && kalam.CodeOf(err) != kalam.CodeUnsupported {
			return fmt.Errorf("read %s: %w", f.Segment.Path, err)
		}
		f.Damage = err
	}
	return nil
}

// read reads the footer of the file.
func (f *FoundSegment) read(ctx context.Context, at *location, tables map[string]*kalam.Table) (err error) {
	object, err := at.Storage.Open(ctx, f.Segment.Path)
	if err != nil {
		return missingIsCorrupt(f.Segment.Path, err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	p := &parquetFile{path: f.Segment.Path, file: object}
	if err := p.readFooter(); err != nil {
		return err
	}
	seg := f.Segment
	seg.User = f.Place.User
	for _, n := range []struct {
		key string
		set func(uint64)
	}{
		{MetaTableNumber, func(n uint64) { seg.Table = kalam.TableNumber(n) }},
		{MetaSchemaVersion, func(n uint64) { seg.SchemaVersion = int(n) }},
		{MetaMinSeq, func(n uint64) { seg.MinSeq = kalam.Seq(n) }},
		{MetaMaxSeq, func(n uint64) { seg.MaxSeq = kalam.Seq(n) }},
	} {
		v, err := p.number(n.key)
		if err != nil {
			return err
		}
		if v == 0 {
			return integrity.Corrupt(p.path, "it does not say its %s", n.key)
		}
		n.set(v)
	}
	seg.Bytes, seg.Rows = object.Size(), p.rows()
	if err := f.checkPlace(p, &seg); err != nil {
		return err
	}
	if f.replaces, err = p.replaces(); err != nil {
		return err
	}
	if f.Table, f.Derived, err = p.tableIn(f.Place, &seg, tables); err != nil {
		return err
	}
	f.Segment = seg
	return nil
}

// maxSchemaVersion bounds the schema versions that are believed.
const maxSchemaVersion = 1 << 20

// checkPlace refuses a file that belongs elsewhere, by what it says and by its name.
func (f *FoundSegment) checkPlace(p *parquetFile, seg *kalam.Segment) error {
	meta := p.meta.KeyValueMetadata()
	switch name := meta.FindValue(MetaTable); {
	case name == nil || *name != f.Place.Table.String():
		return integrity.Corrupt(p.path, "it is not of table %s, whose folder it is in", f.Place.Table)
	case seg.MaxSeq != layout.SeqOfName(p.path):
		return integrity.Corrupt(p.path, "its highest _seq is %d, which is not that of its name: it belongs to another segment",
			seg.MaxSeq)
	case seg.MinSeq > seg.MaxSeq || seg.Rows < 1 || seg.Rows > 1<<32 || seg.SchemaVersion > maxSchemaVersion:
		return integrity.Corrupt(p.path, "it says that it has %d rows with the seqs %d to %d of schema version %d",
			seg.Rows, seg.MinSeq, seg.MaxSeq, seg.SchemaVersion)
	}
	if user := meta.FindValue(MetaUser); user != nil && *user != string(f.Place.User) {
		return integrity.Corrupt(p.path, "it belongs to another user than that of its folder")
	}
	return nil
}

// tableIn returns the version of the table that the file was written for: as it is
// defined in the file, or what its columns tell.
func (f *parquetFile) tableIn(place layout.Place, seg *kalam.Segment, tables map[string]*kalam.Table) (*kalam.Table,
	bool, error) {
	columns, err := f.columnsIn()
	if err != nil {
		return nil, false, err
	}
	text := ""
	if v := f.meta.KeyValueMetadata().FindValue(MetaDefinition); v != nil {
		text = *v
	}
	derived := text == ""
	if derived {
		raw, err := json.Marshal(columns)
		if err != nil {
			return nil, true, integrity.Corrupt(f.path, "its columns: %w", err)
		}
		text = string(raw)
	}
	key := fmt.Sprintf("%d %d %d %s %s", seg.Table, seg.SchemaVersion, place.Kind, place.Table, text)
	if t, ok := tables[key]; ok {
		return t, derived, nil
	}
	t := &kalam.Table{Kind: place.Kind, Columns: columns, Options: kalam.TableOptions{StorageID: kalam.LocalStorage}}
	if !derived {
		if t, err = decodeDefinition(text); err != nil {
			return nil, false, kalam.Wrap(kalam.CodeOf(err), err, "%s does not define its table", f.path)
		}
		if t.Kind != place.Kind || !f.hasColumns(t) {
			return nil, false, integrity.Corrupt(f.path, "its columns are not those of its definition")
		}
	}
	t.ID, t.Number, t.SchemaVersion = place.Table, seg.Table, seg.SchemaVersion
	tables[key] = t
	return t, derived, nil
}

// hasColumns reports whether the columns of the file are those of t, in their order.
func (f *parquetFile) hasColumns(t *kalam.Table) bool {
	if f.meta.Schema.NumColumns() != len(t.Columns)+2 {
		return false
	}
	for i := range t.Columns {
		c, have := &t.Columns[i], f.meta.Schema.Column(i)
		r, ok, err := storedAs(have, c.Type)
		if err != nil || !ok || r.stored.Kind != c.Type.Kind || have.Name() != c.Name {
			return false
		}
		if id := have.SchemaNode().FieldID(); id >= 0 && kalam.ColumnID(id) != c.ID {
			return false
		}
	}
	return true
}

// columnsIn returns the columns that the file has, without the system columns. What
// is stored alike, as JSON and TEXT are, is not told apart.
func (f *parquetFile) columnsIn() (columns []kalam.Column, err error) {
	system := 0
	for i := range f.meta.Schema.NumColumns() {
		c := f.meta.Schema.Column(i)
		if c.Name() == kalam.ColumnSeq || c.Name() == kalam.ColumnDeleted {
			system++
			continue
		}
		id := c.SchemaNode().FieldID()
		if id < 0 {
			id = int32(i + 1)
		}
		cell, ok, err := storedAs(c, kalam.TypeOf(kalam.KindBytes))
		if err != nil || !ok {
			return nil, integrity.Corrupt(f.path, "column %s is of no type that a table has", c.Name())
		}
		columns = append(columns, kalam.Column{ID: kalam.ColumnID(id), Name: c.Name(), Type: cell.stored})
	}
	if system != 2 || f.meta.Schema.NumColumns() < 3 {
		return nil, integrity.Corrupt(f.path, "it has not the columns %s and %s", kalam.ColumnSeq, kalam.ColumnDeleted)
	}
	return columns, nil
}

// IsTrash reports whether the storage has files in its trash, which a survey does
// not look at.
func (s *Survey) IsTrash(ctx context.Context) (found bool, err error) {
	errFound := errors.New("found")
	err = s.at.Storage.List(ctx, layout.TrashFolder, func(e Entry) error {
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
