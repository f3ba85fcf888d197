package query

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/sqltext"
)

// Source is what one table reference reads: the rows of its files, in their
// order, followed by those of its batches. The caller keeps files and batches in
// place and unchanged until the Rows are closed.
type Source struct {
	Schema  *arrow.Schema // Columns in the order of SELECT *. Column names are unique.
	Files   []File
	Batches []Batch
	// Only is a condition in SQL over the columns of Schema, which are not qualified, "" for none: rows of which it is not
	// true are as if they were not there. Nothing of the query is evaluated on them, so that no error, no function and no
	// figure of a plan can tell of one. It is trusted text, without placeholders, that fails on no row.
	Only string
}

// File is a Parquet file.
type File struct {
	Path string // Absolute, inside one of the lake's directories.
	// Layout says where the file has the columns of the source. nil: it has them all,
	// in their order and under their names.
	Layout *Layout
	Dead   *roaring.Bitmap // Positions of rows that are not to be read; nil: none.
	Rows   int64           // Those of Dead included; 0: unknown.
	// Bounds tells what the columns of the file lie between, nil for nothing. It is asked
	// when that may spare reading the file, and may be nil itself.
	Bounds func() Bounds
}

// Bounds are the ranges of the columns of a file, row group by row group. They are
// immutable.
type Bounds interface {
	// Groups returns the number of row groups, and Rows that of the rows of one.
	Groups() int
	Rows(group int) int64
	// Range returns what a column, by its place in the file, lies between. Its values are
	// of the type that the file has.
	Range(group, column int) datatype.Range
}

// Batch is a record batch with the columns of the source's schema.
type Batch struct {
	Record arrow.RecordBatch
	Live   []uint32 // Rows to be read, ascending; nil: all.
	// ID is equal for the same record in several queries and never given to
	// another: what DuckDB makes of it is kept for the next, until Planner.Forget. 0: it
	// is read once.
	ID uint64
}

// physicalSource is a source as the text of a statement sees it: what decides the text
// and nothing of the rows.
type physicalSource struct {
	schema *Schema
	groups []fileGroup
	scan   bool // The batches are read, if only to give no rows.
	bound  *bound
	plain  bool   // JSON stays text, as files hold it.
	only   string // See Source.Only.
}

// bound leaves out the rows of a source whose value of a column lies beyond one, or is
// NULL.
type bound struct {
	column     int // Of the schema.
	descending bool
	value      kalam.Value // Itself it is not left out.
}

// fileGroup is a run of files of one layout, which one call of read_parquet reads.
type fileGroup struct {
	files  []File
	layout *Layout
	first  int  // Number of files before the group.
	dead   bool // A file has dead rows.
}

// key returns a text that is equal for sources whose text is equal.
func (s *physicalSource) key(b *strings.Builder) {
	b.WriteString(strconv.FormatUint(s.schema.ID, 36))
	for _, g := range s.groups {
		fmt.Fprintf(b, "f%d,%t", g.first, g.dead)
		g.layout.key(b)
	}
	if s.scan {
		b.WriteByte('s')
	}
	if s.bound != nil { // Its column and direction are the query's.
		b.WriteByte('b')
	}
	if s.only != "" {
		fmt.Fprintf(b, "o%q", s.only)
	}
	b.WriteByte(';')
}

// physicalOf decides how src is read.
func physicalOf(src *Source, s *Schema) (*physicalSource, error) {
	out := &physicalSource{schema: s, scan: len(src.Batches) > 0 || len(src.Files) == 0, only: src.Only}
	whole := wholeLayout(s)
	for i, f := range src.Files {
		layout := f.Layout
		if layout == nil {
			layout = whole
		} else if err := layout.check(s); err != nil {
			return nil, err
		}
		last := len(out.groups) - 1
		if last < 0 || !out.groups[last].layout.readsWith(layout) {
			out.groups = append(out.groups, fileGroup{layout: layout, first: i})
			last++
		}
		g := &out.groups[last]
		g.files = append(g.files, f)
		g.dead = g.dead || f.Dead != nil && !f.Dead.IsEmpty()
	}
	return out, nil
}

// branches returns the SELECTs whose rows, one after the other, are those of
// source i. param is the number of the placeholder of the first group's files, which those
// of the others and that of the bound follow; visible tells which columns they give, and by
// which names.
func (s *physicalSource) branches(i, param int, visible func(column string) (string, bool)) []string {
	if s.only == "" {
		return s.allRows(i, param, visible)
	}
	out := s.allRows(i, param, everything)
	var items []string
	for _, c := range s.schema.columns {
		if name, ok := visible(c.name); ok {
			items = append(items, sqltext.QuoteIdent(c.name)+" AS "+sqltext.QuoteIdent(name))
		}
	}
	for k, b := range out {
		out[k] = fmt.Sprintf("SELECT * FROM (SELECT %s FROM (%s) AS r WHERE (%s) %s)", strings.Join(items, ", "), b, s.only,
			barrier)
	}
	return out
}

// barrier ends a SELECT past which DuckDB moves no condition in either direction: no filter is pushed through LIMIT and
// OFFSET, because it would change which rows they count.
const barrier = "OFFSET 0"

// allRows is branches without the condition of the source.
func (s *physicalSource) allRows(i, param int, visible func(column string) (string, bool)) []string {
	var out []string
	for n, g := range s.groups {
		out = append(out, s.fileBranch(&g, i, param+n, visible)+s.boundText(&g, param))
	}
	if s.scan {
		var items []string
		for _, c := range s.schema.columns {
			if name, ok := visible(c.name); ok {
				items = append(items, s.typed(c, sqltext.QuoteIdent(c.name))+" AS "+sqltext.QuoteIdent(name))
			}
		}
		out = append(out, fmt.Sprintf("SELECT %s FROM kalam_scan(%d)", strings.Join(items, ", "), i)+s.boundText(nil, param))
	}
	return out
}

// boundText returns what follows the text of a branch, that of g or of the batches, because
// of the bound.
func (s *physicalSource) boundText(g *fileGroup, param int) string {
	if s.bound == nil {
		return ""
	}
	k := s.bound.column
	c := s.schema.columns[k]
	value, word, op := sqltext.QuoteIdent(c.name), " WHERE ", "<="
	if g != nil {
		if value, _ = g.layout.column(k, c); g.dead {
			word = " AND "
		}
		value = "CAST(" + value + " AS " + c.cast + ")"
	}
	if s.bound.descending {
		op = ">="
	}
	return fmt.Sprintf("%s%s %s CAST($%d AS %s)", word, value, op, param+len(s.groups), c.cast)
}

// everything is what branches takes to give every column.
func everything(column string) (string, bool) { return column, true }

func (s *physicalSource) fileBranch(g *fileGroup, i, param int, visible func(string) (string, bool)) string {
	var items []string
	for k, c := range s.schema.columns {
		name, ok := visible(c.name)
		if !ok {
			continue
		}
		value, stored := g.layout.column(k, c)
		if stored && c.unfiltered {
			value = "CASE WHEN r.file_row_number >= 0 THEN " + value + " END" // Always true, which the planner cannot know.
		}
		if c.cast != "" {
			value = "CAST(" + value + " AS " + c.cast + ")"
		}
		items = append(items, s.typed(c, value)+" AS "+sqltext.QuoteIdent(name))
	}
	text := fmt.Sprintf("SELECT %s FROM read_parquet($%d) AS r%s", strings.Join(items, ", "), param, g.layout.names())
	if g.dead {
		text += fmt.Sprintf(" WHERE kalam_alive(%d, r.file_index + %d, r.file_row_number)", i, g.first)
	}
	return text
}

// typed returns the expression of a column's value, which is text for a JSON column, as
// queries see it: of type JSON.
func (s *physicalSource) typed(c column, value string) string {
	if c.json && !s.plain {
		return "kalam_json(" + value + ")"
	}
	return value
}

// input returns what of src its text does not hold.
func (s *physicalSource) input(src *Source) Input {
	in := Input{Schema: s.schema, Scan: s.scan, Batches: src.Batches}
	for _, g := range s.groups {
		if g.dead {
			in.Dead = make([]*roaring.Bitmap, len(src.Files))
		}
	}
	for i := range in.Dead {
		in.Dead[i] = src.Files[i].Dead
	}
	return in
}

// paths returns the paths of a group's files.
func (g *fileGroup) paths() []string {
	out := make([]string, len(g.files))
	for i, f := range g.files {
		out[i] = f.Path
	}
	return out
}

// Input is what of a Source does not stand in the text.
type Input struct {
	Schema  *Schema
	Scan    bool // The text reads Batches, if only to find none.
	Batches []Batch
	Dead    []*roaring.Bitmap // Of each file, nil for none; nil when the text asks for none.
}
