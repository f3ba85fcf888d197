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

// File is a Parquet file.
type File struct {
	Path string // Absolute, inside one of Options.LakeDirs.
	// Layout says where the file has the columns of the source. nil: it has them all,
	// in their order and under their names.
	Layout *Layout
	Dead   *roaring.Bitmap // Positions of rows that are not to be read; nil: none.
}

// Batch is a record batch with the columns of the source's schema.
type Batch struct {
	Record arrow.RecordBatch
	Live   []uint32 // Rows to be read, ascending; nil: all.
	// ID is equal for the same record in several queries and never given to
	// another: what DuckDB makes of it is kept for the next, until Engine.Forget. 0: it
	// is read once.
	ID uint64
}

// shaped is a source as the text of a statement sees it: what decides the text
// and nothing of the rows.
type shaped struct {
	schema *schema
	groups []fileGroup
	scan   bool // The batches are read, if only to give no rows.
	plain  bool // JSON stays text, as files hold it.
}

// fileGroup is a run of files of one layout, which one call of read_parquet reads.
type fileGroup struct {
	files  []File
	layout *Layout
	first  int  // Number of files before the group.
	dead   bool // A file has dead rows.
}

// key returns a text that is equal for sources whose text is equal.
func (s *shaped) key(b *strings.Builder) {
	b.WriteString(strconv.FormatUint(s.schema.id, 36))
	for _, g := range s.groups {
		fmt.Fprintf(b, "f%d,%t", g.first, g.dead)
		g.layout.key(b)
	}
	if s.scan {
		b.WriteByte('s')
	}
	b.WriteByte(';')
}

// shapeOf decides how src is read.
func shapeOf(src *Source, s *schema) (*shaped, error) {
	out := &shaped{schema: s, scan: len(src.Batches) > 0 || len(src.Files) == 0}
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
// source i. param is the number of the placeholder of the first group's files;
// visible tells which columns they give, and by which names.
func (s *shaped) branches(i, param int, visible func(column string) (string, bool)) []string {
	var out []string
	for n, g := range s.groups {
		out = append(out, s.fileBranch(&g, i, param+n, visible))
	}
	if s.scan {
		var items []string
		for _, c := range s.schema.columns {
			if name, ok := visible(c.name); ok {
				items = append(items, s.typed(c, quoteName(c.name))+" AS "+quoteName(name))
			}
		}
		out = append(out, fmt.Sprintf("SELECT %s FROM kalam_scan(%d)", strings.Join(items, ", "), i))
	}
	return out
}

// everything is what branches takes to give every column.
func everything(column string) (string, bool) { return column, true }

func (s *shaped) fileBranch(g *fileGroup, i, param int, visible func(string) (string, bool)) string {
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
		items = append(items, s.typed(c, value)+" AS "+quoteName(name))
	}
	text := fmt.Sprintf("SELECT %s FROM read_parquet($%d) AS r%s", strings.Join(items, ", "), param, g.layout.names())
	if g.dead {
		text += fmt.Sprintf(" WHERE kalam_alive(%d, r.file_index + %d, r.file_row_number)", i, g.first)
	}
	return text
}

// typed returns the expression of a column's value, which is text for a JSON column, as
// queries see it: of type JSON.
func (s *shaped) typed(c column, value string) string {
	if c.json && !s.plain {
		return "kalam_json(" + value + ")"
	}
	return value
}

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

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
