package query

// #include "scan.h"
import "C"

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
)

// Source is what one table reference reads: the rows of its files, in their
// order, followed by those of its batches. The caller keeps files and batches in
// place and unchanged until the Rows are closed.
type Source struct {
	Schema  *arrow.Schema // Columns in the order of SELECT *. Column names are unique.
	Files   []File
	Batches []Batch
}

// File is a Parquet file. Columns are found by name; one that the file lacks is
// NULL.
type File struct {
	Path string // Absolute, inside one of Options.LakeDirs.
	// SchemaVersion is equal for files of one table that have the same columns.
	SchemaVersion int
	Dead          *roaring.Bitmap // Positions of rows that are not to be read; nil: none.
}

// Batch is a record batch with the columns of the source's schema.
type Batch struct {
	Record arrow.RecordBatch
	Live   []uint32 // Rows to be read, ascending; nil: all.
	// ID is equal for the same record in several queries and never given to
	// another: what DuckDB makes of it is kept for the next. 0: it is read once.
	ID uint64
}

// shaped is a source as the text of a statement sees it: what decides the text
// and nothing of the rows.
type shaped struct {
	schema *schema
	groups []fileGroup
	scan   bool // The batches are read, if only to give no rows.
}

// fileGroup is a run of files that are read by one call of read_parquet.
type fileGroup struct {
	files   []File
	columns []string // Of the files, in their order; nil: those of the schema.
	first   int      // Number of files before the group.
	dead    bool     // A file has dead rows.
}

// key returns a text that is equal for sources whose text is equal.
func (s *shaped) key(b *strings.Builder) {
	b.WriteString(strconv.FormatUint(s.schema.id, 36))
	for _, g := range s.groups {
		fmt.Fprintf(b, "f%d,%t", g.first, g.dead)
		for _, c := range g.columns {
			b.WriteString(strconv.Quote(c))
		}
	}
	if s.scan {
		b.WriteByte('s')
	}
	b.WriteByte(';')
}

// shapeOf decides how src is read. columns gives the columns of a file, for files
// that are not of one schema version.
func shapeOf(src *Source, s *schema, columns func(File) ([]string, error)) (*shaped, error) {
	out := &shaped{schema: s, scan: len(src.Batches) > 0 || len(src.Files) == 0}
	for i, f := range src.Files {
		var cols []string
		if columns != nil {
			var err error
			if cols, err = columns(f); err != nil {
				return nil, err
			}
		}
		last := len(out.groups) - 1
		if last < 0 || strings.Join(out.groups[last].columns, "\x00") != strings.Join(cols, "\x00") {
			out.groups = append(out.groups, fileGroup{columns: cols, first: i})
			last++
		}
		g := &out.groups[last]
		g.files = append(g.files, f)
		g.dead = g.dead || f.Dead != nil && !f.Dead.IsEmpty()
	}
	return out, nil
}

// virtual are the columns that read_parquet adds to those of a file.
var virtual = newFunctionSet("file_index file_row_number filename")

// branches returns the SELECTs whose rows, one after the other, are those of
// source i. param is the number of the placeholder of the first group's files.
func (s *shaped) branches(i, param int) []string {
	var out []string
	for n, g := range s.groups {
		out = append(out, s.fileBranch(&g, i, param+n))
	}
	if s.scan {
		var b strings.Builder
		b.WriteString("SELECT ")
		for k, c := range s.schema.columns {
			if k > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoteName(c.name))
		}
		fmt.Fprintf(&b, " FROM kalam_scan(%d)", i)
		out = append(out, b.String())
	}
	return out
}

func (s *shaped) fileBranch(g *fileGroup, i, param int) string {
	// With columns of our own names, none of a table can be taken for a virtual one.
	renamed := g.columns != nil
	var b strings.Builder
	b.WriteString("SELECT ")
	for k, c := range s.schema.columns {
		if k > 0 {
			b.WriteString(", ")
		}
		value := "r." + quoteName(c.name)
		if renamed {
			value = "NULL"
			for at, name := range g.columns {
				if name == c.name {
					value = "r.c" + strconv.Itoa(at)
				}
			}
		}
		if c.unfiltered && value != "NULL" {
			value = "CASE WHEN r.file_row_number >= 0 THEN " + value + " END" // Always true, which the planner cannot know.
		}
		if c.cast != "" {
			value = "CAST(" + value + " AS " + c.cast + ")"
		}
		b.WriteString(value + " AS " + quoteName(c.name))
	}
	fmt.Fprintf(&b, " FROM read_parquet($%d) AS r", param)
	if renamed {
		b.WriteString("(")
		for at := range g.columns {
			if at > 0 {
				b.WriteString(", ")
			}
			b.WriteString("c" + strconv.Itoa(at))
		}
		b.WriteString(")")
	}
	if g.dead {
		fmt.Fprintf(&b, " WHERE kalam_alive(%d, r.file_index + %d, r.file_row_number)", i, g.first)
	}
	return b.String()
}

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// needsColumns reports whether the columns of the files must be looked up: when
// they differ, or could be mistaken for virtual ones.
func needsColumns(src *Source) bool {
	for i := 1; i < len(src.Files); i++ {
		if src.Files[i].SchemaVersion != src.Files[0].SchemaVersion {
			return true
		}
	}
	for i := range src.Schema.NumFields() {
		if virtual.has(src.Schema.Field(i).Name) {
			return len(src.Files) > 0
		}
	}
	return false
}

// statementSources hands the sources of a statement to the functions in C. The
// caller releases the result.
func statementSources(c *conn, cache *chunkCache, sources []Source, shapes []*shaped) (*C.kalam_sources, error) {
	out := C.kalam_sources_new(C.idx_t(len(sources)))
	if out == nil {
		return nil, errNoMemory
	}
	for i := range sources {
		err := setBatches(out, i, c, cache, &sources[i], shapes[i])
		if err == nil {
			err = setDead(out, i, &sources[i], shapes[i])
		}
		if err != nil {
			C.kalam_sources_release(out)
			return nil, err
		}
	}
	return out, nil
}

// parts collects the arguments of kalam_sources_set.
type parts struct {
	chunks []*C.kalam_chunk
	live   []uint32
	end    []uint32
	whole  []bool
}

func setBatches(out *C.kalam_sources, i int, c *conn, cache *chunkCache, src *Source, s *shaped) error {
	if !s.scan {
		return nil
	}
	p := parts{}
	defer func() { releaseChunks(p.chunks) }()
	for _, b := range src.Batches {
		if b.Live != nil && len(b.Live) == 0 || b.Record.NumRows() == 0 {
			continue
		}
		pieces, err := cache.chunksOf(c, s.schema, &b)
		if err != nil {
			return err
		}
		if err := p.add(pieces, b); err != nil {
			return err
		}
	}
	ok := C.kalam_sources_set(out, C.idx_t(i), s.schema.c, C.idx_t(len(p.chunks)),
		first(p.chunks), (*C.uint32_t)(first(p.live)), (*C.uint32_t)(first(p.end)), (*C.bool)(first(p.whole)))
	if !ok {
		return errNoMemory
	}
	return nil
}

// add adds the pieces of a batch, which it takes over, with their shares of the
// live rows.
func (p *parts) add(pieces []*C.kalam_chunk, b Batch) error {
	p.chunks = append(p.chunks, pieces...)
	live, rows := b.Live, uint32(b.Record.NumRows())
	for k := range pieces {
		from := uint32(k * maxChunkRows)
		end := min(from+maxChunkRows, rows)
		for len(live) > 0 && live[0] >= from && live[0] < end {
			p.live = append(p.live, live[0]-from)
			live = live[1:]
		}
		p.end = append(p.end, uint32(len(p.live)))
		p.whole = append(p.whole, b.Live == nil)
	}
	if len(live) > 0 { // The scan does not check them again.
		return kalam.Errorf(kalam.CodeInternal, "live row %d of a batch of %d rows is out of order or range", live[0], rows)
	}
	return nil
}

func setDead(out *C.kalam_sources, i int, src *Source, s *shaped) error {
	any := false
	for _, g := range s.groups {
		any = any || g.dead
	}
	if !any {
		return nil
	}
	var dead, end []uint32
	for _, f := range src.Files {
		if f.Dead != nil {
			dead = append(dead, f.Dead.ToArray()...)
		}
		end = append(end, uint32(len(dead)))
	}
	if !C.kalam_sources_dead(out, C.idx_t(i), C.idx_t(len(end)), (*C.uint32_t)(first(dead)), (*C.uint32_t)(first(end))) {
		return errNoMemory
	}
	return nil
}

// first returns the address of the first element, nil when there is none.
func first[T any](s []T) *T { return unsafe.SliceData(s) }
