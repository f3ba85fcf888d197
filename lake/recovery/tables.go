package recovery

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// FoundTable is a table of which a survey found files.
type FoundTable struct {
	Number kalam.TableNumber
	// Versions are the versions of the table that files were written for, oldest first;
	// the last is the newest that is known. Its name and key are those of the table.
	Versions   []*kalam.Table
	NextColumn kalam.ColumnID // Above every id that a file uses.
	// Derived says that no file defines the newest version: defaults, NOT NULL, options,
	// and which texts are JSON, are not known.
	Derived bool
	// Successor is set when another table, of a higher number, has the name: this one
	// was dropped, and its files were not yet removed.
	Successor kalam.TableNumber
	Problem   error         // Why the table cannot be adopted.
	Scopes    []*FoundScope // By user.
}

// Newest returns the newest version that is known.
func (t *FoundTable) Newest() *kalam.Table { return t.Versions[len(t.Versions)-1] }

// FoundTables is what a survey found, by table.
type FoundTables struct {
	Tables []*FoundTable // By number.
	Empty  []string      // manifest.json of tables without files: they have no rows in the lake.
	Stray  []string      // Files of tables none of whose segments can be read.
}

// Tables sorts what the survey found into tables and scopes.
func (s *Survey) Tables(ctx context.Context) (out FoundTables, err error) {
	g := newGrouping(s)
	for _, f := range s.Segments {
		t := g.byNumber[f.Segment.Table]
		if t == nil { // It does not say, or nothing that can be read is of its table.
			t = s.tableOfDamaged(ctx, f, g)
		}
		if t == nil {
			out.Stray = append(out.Stray, f.Segment.Path)
			continue
		}
		sc := g.scope(t, f.Place)
		sc.Segments = append(sc.Segments, f)
	}
	for _, m := range s.Manifests {
		t := g.living[m.Place.Table]
		if t != nil && t.Newest().Kind == m.Place.Kind {
			sc := g.scope(t, m.Place)
			sc.Manifests = append(sc.Manifests, m)
			continue
		}
		if s.namesNothing(ctx, m) {
			out.Empty = append(out.Empty, m.Path)
		} else {
			out.Stray = append(out.Stray, m.Path)
		}
	}
	for _, t := range g.tables {
		slices.SortFunc(t.Scopes, func(a, b *FoundScope) int { return cmp.Compare(a.User, b.User) })
		if err := s.completeTable(ctx, t); err != nil {
			return out, err
		}
	}
	s.rename(g)
	out.Tables = g.tables
	return out, nil
}

// rename gives the tables that were renamed their names. Where two are called the same, those keep the names of their
// folders, which no two tables share: one was renamed, and nothing of it was flushed since.
func (s *Survey) rename(g *grouping) {
	names := map[*FoundTable]kalam.TableID{}
	for _, t := range g.living {
		names[t] = t.Newest().ID
		if name := s.found.names[t.Newest()]; name != "" {
			names[t] = kalam.TableID{Namespace: t.Newest().ID.Namespace, Name: name}
		}
	}
	for again := true; again; {
		again = false
		claims := map[kalam.TableID]int{}
		for _, id := range names {
			claims[id]++
		}
		for t, id := range names {
			if folder := t.Newest().ID; claims[id] > 1 && id != folder {
				names[t], again = folder, true
			}
		}
	}
	for t, id := range names {
		if folder := t.Newest().ID; id != folder {
			for _, v := range t.Versions {
				v.ID, v.Folder = id, folder.Name
			}
		}
	}
}

// namesNothing reports whether a manifest.json names no segment.
func (s *Survey) namesNothing(ctx context.Context, m *FoundManifest) bool {
	f, err := lake.ReadManifest(ctx, s.storage, m.Path)
	return err == nil && f.Segments != nil && len(f.Segments) == 0
}

// grouping sorts what was found.
type grouping struct {
	tables   []*FoundTable
	byNumber map[kalam.TableNumber]*FoundTable
	living   map[kalam.TableID]*FoundTable // Of a name the one with the highest number.
	scopes   map[kalam.Scope]*FoundScope
}

func newGrouping(s *Survey) *grouping {
	g := &grouping{
		byNumber: map[kalam.TableNumber]*FoundTable{}, living: map[kalam.TableID]*FoundTable{},
		scopes: map[kalam.Scope]*FoundScope{},
	}
	files := map[kalam.TableNumber][]*FoundSegment{}
	for _, f := range s.Segments {
		if f.Damage == nil {
			files[f.Segment.Table] = append(files[f.Segment.Table], f)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(files)) {
		t := newFoundTable(n, files[n])
		g.tables, g.byNumber[n] = append(g.tables, t), t
		if old := g.living[t.Newest().ID]; old != nil {
			old.Successor = n
		}
		g.living[t.Newest().ID] = t
	}
	return g
}

// scope returns the scope of a table at a place.
func (g *grouping) scope(t *FoundTable, p layout.Place) *FoundScope {
	sc := kalam.Scope{Table: t.Number, User: p.User}
	if g.scopes[sc] == nil {
		g.scopes[sc] = &FoundScope{Table: t.Newest(), User: p.User}
		t.Scopes = append(t.Scopes, g.scopes[sc])
	}
	return g.scopes[sc]
}

// tableOfDamaged returns the table of a file that does not tell: by its key index file, or by
// its folder.
func (s *Survey) tableOfDamaged(ctx context.Context, f *FoundSegment, g *grouping) *FoundTable {
	head, err := lake.ReadKeyIndexHead(ctx, s.storage, layout.KeyIndexPath(f.Segment.Path))
	if t := g.byNumber[head.Table]; err == nil && t != nil && t.Newest().ID == f.Place.Table {
		return t
	}
	if t := g.living[f.Place.Table]; t != nil && t.Newest().Kind == f.Place.Kind {
		return t
	}
	return nil
}

// newFoundTable makes a table of the readable files of a number. Where two files
// define a version differently, as those of two lakes in one folder do, that of more
// files counts, and the others are damage.
func newFoundTable(n kalam.TableNumber, files []*FoundSegment) *FoundTable {
	t := &FoundTable{Number: n}
	votes := map[*kalam.Table]int{}
	derived := map[*kalam.Table]bool{}
	for _, f := range files {
		votes[f.Table]++
		derived[f.Table] = f.Derived
		for i := range f.Table.Columns {
			t.NextColumn = max(t.NextColumn, f.Table.Columns[i].ID+1)
		}
	}
	byVersion := map[int]*kalam.Table{}
	for candidate := range votes {
		best := byVersion[candidate.SchemaVersion]
		better := best == nil || derived[best] && !derived[candidate]
		if best != nil && derived[best] == derived[candidate] {
			better = cmp.Or(cmp.Compare(votes[candidate], votes[best]),
				cmp.Compare(describe(candidate), describe(best))) > 0
		}
		if better {
			byVersion[candidate.SchemaVersion] = candidate
		}
	}
	for _, v := range slices.Sorted(maps.Keys(byVersion)) {
		t.Versions = append(t.Versions, byVersion[v])
	}
	t.Derived = derived[t.Newest()]
	for _, f := range files {
		version := byVersion[f.Table.SchemaVersion]
		if !slices.EqualFunc(f.Table.Columns, version.Columns, func(a, b kalam.Column) bool {
			return a.ID == b.ID &&
				a.Name == b.Name
		}) {
			f.Damage = integrity.Corrupt(f.Segment.Path,
				"it has other columns than the other files of version %d of table %s",
				version.SchemaVersion, version.ID)
		}
	}
	return t
}

// describe orders definitions, so that the choice between them is the same each time.
func describe(t *kalam.Table) string {
	text, err := parquet.EncodeDefinition(t)
	if err != nil {
		return t.ID.String()
	}
	return t.ID.String() + " " + text
}

// completeTable gives the versions the name, and those that no file defines the key,
// of the table.
func (s *Survey) completeTable(ctx context.Context, t *FoundTable) error {
	newest := t.Newest()
	var key []kalam.ColumnID
	for i := len(t.Versions) - 1; i >= 0 && key == nil; i-- {
		for _, k := range t.Versions[i].PrimaryKey {
			key = append(key, t.Versions[i].Columns[k].ID)
		}
	}
	if key == nil {
		var err error
		if key, err = s.inferKey(ctx, t); err != nil {
			return err
		}
	}
	if key == nil {
		t.Problem = kalam.Errorf(kalam.CodeCorrupt,
			"the primary key of table %s is not known: no file defines the table, and none of its .keys files "+
				"can be read",
			newest.ID)
		return nil
	}
	for _, v := range t.Versions {
		v.ID, v.Kind = newest.ID, newest.Kind
		if len(v.PrimaryKey) > 0 {
			continue
		}
		for _, id := range key {
			at := slices.IndexFunc(v.Columns, func(c kalam.Column) bool { return c.ID == id })
			if at < 0 {
				t.Problem = kalam.Errorf(kalam.CodeCorrupt,
					"version %d of table %s has no column %d, which is part of the key",
					v.SchemaVersion, v.ID, id)
				return nil
			}
			v.PrimaryKey = append(v.PrimaryKey, at)
			v.Columns[at].NotNull = true
		}
	}
	if t.Derived {
		newest.CreatedAt = t.firstFile()
		newest.UpdatedAt = newest.CreatedAt
	}
	return nil
}

// firstFile returns when the oldest file was written.
func (t *FoundTable) firstFile() (first time.Time) {
	for _, sc := range t.Scopes {
		for _, f := range sc.Segments {
			if at := f.Segment.CreatedAt; first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	return first
}

// What inferKey looks at.
const (
	keySampleFiles = 64
	keySampleRows  = 64
	keyCandidates  = 256
)

// inferKey finds the columns of the primary key as those whose values make the keys in
// the key index files: nil when there is none, or no key index file can be read.
func (s *Survey) inferKey(ctx context.Context, t *FoundTable) ([]kalam.ColumnID, error) {
	newest := t.Newest()
	var candidates [][]int
	seen := 0
	for _, sc := range t.Scopes {
		for _, f := range sc.Segments {
			if f.Damage != nil || seen == keySampleFiles {
				continue
			}
			keys, rows, err := s.sampleKeys(ctx, newest, f)
			if err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				continue // Another file may tell.
			}
			seen++
			for i := range keys {
				if candidates == nil {
					candidates = keysLike(newest, rows[i], keys[i])
				}
				candidates = slices.DeleteFunc(candidates, func(c []int) bool {
					return !bytes.Equal(datatype.EncodeKey(nil, &kalam.Table{PrimaryKey: c}, rows[i]), keys[i])
				})
				if len(candidates) == 0 {
					return nil, nil
				}
			}
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	var ids []kalam.ColumnID
	for _, i := range candidates[0] {
		ids = append(ids, newest.Columns[i].ID)
	}
	return ids, nil
}

// sampleKeys returns some keys of a segment and the values of their rows.
func (s *Survey) sampleKeys(ctx context.Context, t *kalam.Table, f *FoundSegment) (keys [][]byte,
	rows [][]kalam.Value, err error) {
	var at []int64
	err = s.lake.EachKey(ctx, &f.Segment, func(k keyindex.Entry) error {
		if len(keys) < keySampleRows {
			keys, at = append(keys, bytes.Clone(k.Key)), append(at, int64(k.Row))
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	stored, err := s.lake.ReadRows(ctx, t, &f.Segment, at)
	if err != nil {
		return nil, nil, err
	}
	for i := range stored {
		values, err := datatype.DecodeRow(t, stored[i].Payload, nil)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, values)
	}
	return keys, rows, nil
}

// keysLike returns the lists of columns whose values in row make key, in the order of
// the columns.
func keysLike(t *kalam.Table, row []kalam.Value, key []byte) (found [][]int) {
	var walk func(list []int, made []byte)
	walk = func(list []int, made []byte) {
		if len(made) == len(key) {
			found = append(found, slices.Clone(list))
			return
		}
		for i := range t.Columns {
			if row[i].IsNull() || slices.Contains(list, i) || len(found) == keyCandidates {
				continue
			}
			next := datatype.EncodeKey(slices.Clone(made), &kalam.Table{PrimaryKey: []int{i}}, row)
			if len(next) > len(made) && bytes.HasPrefix(key, next) {
				walk(append(slices.Clone(list), i), next)
			}
		}
	}
	walk(nil, nil)
	return found
}
