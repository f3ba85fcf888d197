package iceberg

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// dataFile is a segment that a catalog names.
type dataFile struct {
	id       kalam.SegmentID
	uri      string
	rows     int64
	bytes    int64
	dead     *roaring.Bitmap // Rows that do not count, nil for none.
	min, max []byte          // Of the first column of the key, nil when they cannot be told.
}

// plan is what a catalog is to say of a scope.
type plan struct {
	table    *kalam.Table
	scope    kalam.Scope
	storage  lake.Storage
	at       kalam.StorageID // Of storage.
	folder   string          // Of the catalog, in the storage.
	uri      string          // The same for readers.
	uuid     string
	files    []dataFile
	optional map[kalam.ColumnID]bool // Columns that some file lacks.
	lastID   kalam.ColumnID          // The highest that the table has ever had.
	lastSeq  kalam.Seq
	buffered int
}

// plan decides what a catalog says, by what a view has of the lake. Of files it opens the key index files of segments
// at most.
func (e *Exporter) plan(ctx context.Context, t *kalam.Table, v *buffer.View) (*plan, error) {
	p := &plan{table: t, scope: v.Scope(), buffered: v.BufferedRows(), optional: map[kalam.ColumnID]bool{}}
	if err := e.place(p); err != nil {
		return nil, err
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; !isExportable(c) {
			return nil, kalam.Errorf(kalam.CodeUnsupported,
				"column '%s' of table %s is %s, which no type of Apache Iceberg v2 is like", c.Name, t.ID, c.Type)
		}
	}
	for version := 1; version <= t.SchemaVersion; version++ {
		if old, ok := e.Catalog.TableVersion(t.Number, version); ok {
			for i := range old.Columns {
				p.lastID = max(p.lastID, old.Columns[i].ID)
			}
		}
	}
	stored := v.Stored()
	living, err := e.Segments.Newest(ctx, v)
	if err != nil {
		return nil, err
	}
	for i := range stored {
		if err := e.add(p, &stored[i], living[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func isExportable(c *kalam.Column) bool {
	_, ok := typeOf(c.Type)
	return ok
}

// place decides where the catalog of a scope lies: where new files of the scope go.
func (e *Exporter) place(p *plan) (err error) {
	p.at = e.Catalog.StorageOf(p.table, p.scope.User)
	if p.storage, _, err = e.Lake.Storage(p.at); err != nil {
		return err
	}
	_, folder, err := e.Lake.Folder(p.at, p.table, p.scope.User)
	if err != nil {
		return err
	}
	p.folder = layout.CatalogFolder(folder, p.table.Number)
	p.uri, err = uriOf(p.storage, p.folder)
	name := fmt.Sprintf("kalam/%s/%d/%s", e.LakeID, p.table.Number, p.scope.User)
	p.uuid = uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String()
	return err
}

// uriOf returns the name of an object for readers that know nothing of storages. It is not encoded:
// readers compare and open names as they are.
func uriOf(s lake.Storage, path string) (string, error) {
	props := s.Properties()
	root := strings.TrimSuffix(props.Location, "/")
	if props.Local {
		root = "/" + strings.TrimPrefix(filepath.ToSlash(root), "/")
		root = "file://" + root
	}
	if strings.ContainsAny(root, "?#") {
		return "", kalam.Errorf(kalam.CodeInvalidOperation,
			"the name of the storage has a '?' or '#', which readers of Apache Iceberg tables do not take for a part of it")
	}
	return root + "/" + path, nil
}

// add adds a segment, unless no row of it counts. The living rows count, unless they are tombstones.
func (e *Exporter) add(p *plan, s *buffer.SegmentView, living *roaring.Bitmap) error {
	seg := s.Segment
	f := dataFile{id: seg.ID, rows: seg.Rows, bytes: seg.Bytes}
	dead := roaring.New()
	if s.Dead != nil {
		dead = roaring.AndNot(s.Dead, living)
	}
	if s.Tombstones != nil {
		dead.Or(s.Tombstones)
	}
	p.lastSeq = max(p.lastSeq, seg.MaxSeq)
	n := int64(dead.GetCardinality())
	if n >= seg.Rows {
		return nil
	}
	if n > 0 {
		f.dead = dead
	}
	if err := e.fit(p, seg); err != nil {
		return err
	}
	storage, _, err := e.Lake.Storage(seg.Storage)
	if err != nil {
		return err
	}
	if f.uri, err = uriOf(storage, seg.Path); err != nil {
		return err
	}
	f.min, f.max = keyBounds(p.table, seg)
	p.files = append(p.files, f)
	return nil
}

// fit checks that a reader finds in the file of a segment, by the ids of its columns, what a query does,
// and notes the columns that it lacks.
func (e *Exporter) fit(p *plan, seg *kalam.Segment) error {
	written, ok := e.Catalog.TableVersion(seg.Table, seg.SchemaVersion)
	if !ok {
		return kalam.Errorf(kalam.CodeCorrupt,
			"%s: it was written for version %d of table %s, of which the catalog knows nothing", seg.Path,
			seg.SchemaVersion, p.table.ID)
	}
	types := make(map[kalam.ColumnID]kalam.DataType, len(written.Columns))
	for i := range written.Columns {
		types[written.Columns[i].ID] = written.Columns[i].Type
	}
	for i := range p.table.Columns {
		c := &p.table.Columns[i]
		have, there := types[c.ID]
		switch {
		case !there && !c.Missing.IsNull():
			return refused(p.table, c,
				"was added with a DEFAULT, which files from before lack, and Apache Iceberg v2 cannot tell")
		case !there:
			p.optional[c.ID] = true
		case !promotes(have, c.Type):
			return refused(p.table, c, fmt.Sprintf("is %s, and %s in files from before, which Apache Iceberg v2 cannot tell",
				c.Type, have))
		}
	}
	return nil
}

func refused(t *kalam.Table, c *kalam.Column, why string) error {
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"column '%s' of table %s %s; STORAGE COMPACT TABLE %s writes it into the files, then export again", c.Name, t.ID, why,
		t.ID)
}

// keyBounds returns the range of the first column of the key in a segment.
func keyBounds(t *kalam.Table, seg *kalam.Segment) (low, high []byte) {
	first, err := datatype.DecodeKey(t, seg.MinKey)
	if err != nil {
		return nil, nil // A record from before it was kept.
	}
	last, err := datatype.DecodeKey(t, seg.MaxKey)
	if err != nil {
		return nil, nil
	}
	low, okLow := boundOf(first[0])
	high, okHigh := boundOf(last[0])
	if !okLow || !okHigh {
		return nil, nil
	}
	return low, high
}
