package query

import (
	"context"
	"fmt"
	"iter"
	"sort"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam/sqltext"
)

// CopySpec is a Parquet file to be written.
type CopySpec struct {
	Path   string // Absolute, inside one of the lake's directories. An existing file is replaced.
	Schema *arrow.Schema
	Files  []File // Their live rows come first.
	// Batches yields record batches of Schema, in another goroutine and while the
	// file is written, until an error or the end. They are released by CopyParquet.
	// nil is none.
	Batches      iter.Seq2[arrow.RecordBatch, error]
	NegativeZero bool           // A FLOAT or DOUBLE of Batches may be -0. Without it -0 can become 0.
	FieldIDs     map[string]int // Field ids of columns; others have none.
	RowGroup     int            // Rows of a row group; 0 is DuckDB's 122,880. It is a multiple of 2,048.
	Metadata     map[string]string
}

// CopyParquet writes the live rows of the files and batches, in their order, as one
// Parquet file, compressed with zstd, and returns their number. The file is not
// synced. On an error, which has CodeResourceExhausted when the disk is full, a part
// of the file may be left, which the caller removes. It fails whenever ctx ended
// before the file did: the batches may have stopped early because of that. One file
// is written at a time; others wait as long as ctx allows.
func (e *Planner) CopyParquet(ctx context.Context, spec CopySpec) (rows int64, err error) {
	if err := e.open(ctx); err != nil {
		return 0, err
	}
	c, err := e.copyOf(&spec)
	if err == nil {
		rows, err = e.executor.Copy(ctx, c)
	}
	if err == nil && ctx.Err() != nil {
		err = Canceled(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("write Parquet file: %w", translate(err, nil))
	}
	return rows, nil
}

// copyOf composes what an executor runs.
func (e *Planner) copyOf(spec *CopySpec) (*Copy, error) {
	src := Source{Schema: spec.Schema, Files: spec.Files}
	physical, err := physicalOf(&src, e.schemas.get(spec.Schema))
	if err != nil {
		return nil, err
	}
	physical.scan, physical.plain = physical.scan || spec.Batches != nil, true
	c := &Copy{Input: physical.input(&src), Batches: spec.Batches, Check: physical.negativeZeroText()}
	for i := range physical.groups {
		c.Params = append(c.Params, Param{Paths: physical.groups[i].paths()})
	}
	text := "COPY (" + physical.copyText() + ") TO " + sqltext.QuoteString(spec.Path)
	c.SQL, c.CheckedSQL = text+" ("+spec.options(false)+")", text+" ("+spec.options(true)+")"
	return c, nil
}

// copyText returns the query of a COPY. The files of each group are a parameter.
func (s *physicalSource) copyText() string {
	return strings.Join(s.branches(0, 1, everything), " UNION ALL ")
}

// negativeZeroText returns a query that counts at least one row if a FLOAT or DOUBLE
// column of the files holds -0, "" if none can. The ranges in the files decide it for
// nearly all row groups.
func (s *physicalSource) negativeZeroText() string {
	var terms []string
	for _, f := range s.schema.Arrow.Fields() {
		if id := f.Type.ID(); id == arrow.FLOAT32 || id == arrow.FLOAT64 {
			name := sqltext.QuoteIdent(f.Name)
			terms = append(terms, "("+name+" = 0 AND signbit("+name+"))")
		}
	}
	if len(s.groups) == 0 || len(terms) == 0 {
		return ""
	}
	files := *s
	files.scan = false // The batches come only once.
	return "SELECT count(*) FROM (SELECT 1 FROM (" + files.copyText() + ") WHERE " + strings.Join(
		terms,
		" OR ",
	) + " LIMIT 1)"
}

// options returns the options of COPY. negativeZero says that the files hold -0.
func (s *CopySpec) options(negativeZero bool) string {
	// The bloom filters of this writer lack values; see column.unfiltered.
	opts := []string{"FORMAT parquet", "COMPRESSION zstd", "WRITE_BLOOM_FILTER false"}
	if s.RowGroup > 0 {
		opts = append(opts, "ROW_GROUP_SIZE "+strconv.Itoa(s.RowGroup))
	}
	if len(s.FieldIDs) > 0 {
		var ids []string
		for name, id := range s.FieldIDs {
			ids = append(ids, sqltext.QuoteString(name)+": "+strconv.Itoa(id))
		}
		sort.Strings(ids)
		opts = append(opts, "FIELD_IDS {"+strings.Join(ids, ", ")+"}")
	}
	if len(s.Metadata) > 0 {
		var pairs []string
		for key, value := range s.Metadata {
			pairs = append(pairs, sqltext.QuoteString(key)+": "+sqltext.QuoteString(value))
		}
		sort.Strings(pairs)
		opts = append(opts, "KV_METADATA {"+strings.Join(pairs, ", ")+"}")
	}
	if negativeZero || s.NegativeZero {
		// The writer's dictionary holds 0 and -0 as one value.
		opts = append(opts, "DICTIONARY_SIZE_LIMIT 0")
	}
	return strings.Join(opts, ", ")
}
