package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/integrity"
)

// Plan says where the columns of one version of a table lie in a file.
type Plan struct {
	Table        *kalam.Table
	columns      []plannedColumn // in the order of table.Columns
	seq, deleted plannedColumn
}

// plannedColumn is one column of a plan.
type plannedColumn struct {
	index   int // of the file's columns; -1: the file is older than the column
	cell    cellReader
	missing kalam.Value // for index -1
}

// PlanFor returns the plan of t, remembered as long as one version is asked for.
// A file that was written for a newer version than t is refused.
func (f *File) PlanFor(t *kalam.Table) (*Plan, error) {
	if f.schemaVersion > t.SchemaVersion {
		return nil, kalam.Wrap(kalam.CodeUnsupported, kalam.ErrTableChanged,
			"%s has schema version %d; table %s is only known up to version %d",
			f.path, f.schemaVersion, t.ID, t.SchemaVersion)
	}
	if p := f.plan.Load(); p != nil && p.Table == t {
		return p, nil
	}
	p := &Plan{Table: t, columns: make([]plannedColumn, len(t.Columns))}
	var err error
	for i := range t.Columns {
		c := &t.Columns[i]
		at := findColumn(f.meta.Schema, c.Name, int32(c.ID))
		if p.columns[i], err = f.plannedColumn(at, c.Type); err != nil {
			return nil, err
		}
		if at < 0 {
			p.columns[i].missing = c.Missing
		}
	}
	if p.seq, err = f.systemColumn(kalam.ColumnSeq, kalam.FieldIDSeq, kalam.KindBigInt); err != nil {
		return nil, err
	}
	if p.deleted, err = f.systemColumn(kalam.ColumnDeleted, kalam.FieldIDDeleted, kalam.KindBoolean); err != nil {
		return nil, err
	}
	f.plan.Store(p)
	return p, nil
}

func (f *File) plannedColumn(at int, t kalam.DataType) (plannedColumn, error) {
	if at < 0 {
		return plannedColumn{index: at}, nil
	}
	cell, err := newCellReader(f.meta.Schema.Column(at), t)
	if err != nil {
		return plannedColumn{}, integrity.Corrupt(f.path, "%w", err)
	}
	return plannedColumn{index: at, cell: cell}, nil
}

func (f *File) systemColumn(name string, id kalam.ColumnID, k kalam.Kind) (plannedColumn, error) {
	at := findColumn(f.meta.Schema, name, int32(id))
	if at < 0 {
		return plannedColumn{}, integrity.Corrupt(f.path, "it has no column %s", name)
	}
	return f.plannedColumn(at, kalam.TypeOf(k))
}

// findColumn returns the index of the column with the given field id; columns
// without an id are found by name. A column with another id is another column,
// whatever its name: it was dropped before this one was added, or renamed.
func findColumn(s *schema.Schema, name string, id int32) int {
	named := -1
	for i := range s.NumColumns() {
		switch have := s.Column(i).SchemaNode().FieldID(); {
		case have >= 0 && have == id:
			return i
		case have < 0 && s.Column(i).Name() == name:
			named = i
		}
	}
	return named
}

// ReadGroup is Lake.ReadGroup from the file, decoding nothing but these rows.
func (f *File) ReadGroup(plan *Plan, group int, rows []int64, order []int, out []kalam.Row) error {
	local := make([]int64, 0, len(order)) // positions in the group, each once
	for _, i := range order {
		if row := rows[i] - f.rowStart[group]; len(local) == 0 || local[len(local)-1] != row {
			local = append(local, row)
		}
	}
	cells, err := f.readCells(plan, group, local, new(textArena))
	if err != nil {
		return err
	}
	width := len(plan.columns) + 2
	var buf []byte
	var last kalam.Row
	at := -1
	for _, i := range order {
		if at < 0 || local[at] != rows[i]-f.rowStart[group] {
			at++
			values := cells[at*width : (at+1)*width]
			buf = datatype.EncodeRow(buf[:0], plan.Table, values[:width-2])
			last = kalam.Row{Seq: kalam.Seq(values[width-2].Int()), Deleted: values[width-1].Bool(),
				Payload: bytes.Clone(buf)}
		}
		out[i] = last
	}
	return nil
}

// groupBuffers hold the bytes of one row group while it is decoded.
var groupBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledGroup is the size above which a buffer is left to the collector.
const maxPooledGroup = 4 << 20

// readCells returns the cells of the given rows of a group, row by row: the
// columns of the plan, then seq and deleted. When text meets its limit it is
// ErrTooMuchText.
func (f *File) readCells(plan *Plan, group int, rows []int64,
	text *textArena) (cells []kalam.Value, err error) {
	defer recoverDamage(f.path, &err)
	buf := groupBuffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxPooledGroup {
			groupBuffers.Put(buf)
		}
	}()
	s, err := f.readSpan(plan, group, buf)
	if err != nil {
		return nil, err
	}
	reader, err := f.newReader(s)
	if err != nil {
		return nil, integrity.Corrupt(f.path, "%w", err)
	}
	width := len(plan.columns) + 2
	cells = make([]kalam.Value, len(rows)*width)
	g := reader.RowGroup(group)
	for i := range width {
		c := plan.at(i)
		if c.index < 0 {
			for r := range rows {
				cells[r*width+i] = c.missing
			}
			continue
		}
		err := f.readColumn(g, c, rows, text, cells[i:], width)
		if errors.Is(err, ErrTooMuchText) {
			return nil, err
		}
		if err != nil {
			return nil, integrity.Corrupt(f.path, "column %s of row group %d: %w",
				f.meta.Schema.Column(c.index).Name(), group, err)
		}
	}
	return cells, f.checkSystemCells(cells, width, group)
}

func (f *File) checkSystemCells(cells []kalam.Value, width, group int) error {
	for at := 0; at < len(cells); at += width {
		if cells[at+width-2].IsNull() || cells[at+width-1].IsNull() {
			return integrity.Corrupt(f.path, "row group %d has a row without %s or %s", group, kalam.ColumnSeq,
				kalam.ColumnDeleted)
		}
	}
	return nil
}

// at returns the column of cell i of a row.
func (p *Plan) at(i int) *plannedColumn {
	switch i - len(p.columns) {
	case 0:
		return &p.seq
	case 1:
		return &p.deleted
	}
	return &p.columns[i]
}

// readSpan reads the bytes of the columns of plan in one group, in one piece:
// they lie together but for columns that were dropped.
func (f *File) readSpan(plan *Plan, group int, buf *[]byte) (*span, error) {
	var start, end int64
	columns := f.meta.RowGroups[group].Columns
	for i := range len(plan.columns) + 2 {
		c := plan.at(i)
		if c.index < 0 {
			continue
		}
		from, length := columnSpan(columns[c.index].MetaData)
		if end == 0 || from < start {
			start = from
		}
		end = max(end, from+length)
	}
	if f.sums.Known() { // whole blocks are read, so that none is read twice
		start, end = f.sums.Around(start, end, f.file.Size())
	}
	*buf = slices.Grow((*buf)[:0], int(end-start))[:end-start]
	if err := f.readAt(*buf, start); err != nil {
		return nil, err
	}
	return &span{data: *buf, off: start, size: f.file.Size()}, nil
}

// readColumn reads the cells of one column into out[0], out[stride], ...
func (f *File) readColumn(g *file.RowGroupReader, c *plannedColumn, rows []int64, text *textArena,
	out []kalam.Value, stride int) (err error) {
	reader, err := g.Column(c.index)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	cell := c.cell
	cell.text = text
	switch r := reader.(type) {
	case *file.BooleanColumnChunkReader:
		return readCells(r, rows, out, stride, cell.fromBool)
	case *file.Int32ColumnChunkReader:
		return readCells(r, rows, out, stride, cell.fromInt32)
	case *file.Int64ColumnChunkReader:
		return readCells(r, rows, out, stride, cell.fromInt64)
	case *file.Float32ColumnChunkReader:
		return readCells(r, rows, out, stride, cell.fromFloat32)
	case *file.Float64ColumnChunkReader:
		return readCells(r, rows, out, stride, cell.fromFloat64)
	case *file.ByteArrayColumnChunkReader:
		return readCells(r, rows, out, stride, cell.fromBytes)
	case *file.FixedLenByteArrayColumnChunkReader:
		return readCells(r, rows, out, stride, cell.fromFixed)
	}
	return fmt.Errorf("physical type %s", reader.Type())
}

// chunkReader is what the column readers of the library have in common.
type chunkReader[T any] interface {
	*file.BooleanColumnChunkReader | *file.Int32ColumnChunkReader | *file.Int64ColumnChunkReader |
		*file.Float32ColumnChunkReader | *file.Float64ColumnChunkReader |
		*file.ByteArrayColumnChunkReader | *file.FixedLenByteArrayColumnChunkReader
	Skip(rows int64) (int64, error)
	ReadBatchInPage(rows int64, values []T, definition, repetition []int16) (int64, int, error)
	Descriptor() *schema.Column
	Err() error
}

// physical are the physical types of Parquet that segments use.
type physical interface {
	bool | int32 | int64 | float32 | float64 | parquet.ByteArray | parquet.FixedLenByteArray
}

// batchRows is how many consecutive rows are decoded at once.
const batchRows = 512

// readCells reads the given rows, which rise, into out[0], out[stride], ...
// Rows between them are skipped without being decoded.
func readCells[T physical, R chunkReader[T]](r R, rows []int64, out []kalam.Value, stride int,
	convert func(T) (kalam.Value, error)) error {
	size := min(len(rows), batchRows)
	values := make([]T, size)
	levels := make([]int16, size)
	optional := r.Descriptor().MaxDefinitionLevel() > 0
	next := int64(0)
	for i := 0; i < len(rows); {
		n := 1
		for n < size && i+n < len(rows) && rows[i+n] == rows[i]+int64(n) {
			n++
		}
		if gap := rows[i] - next; gap > 0 {
			if _, err := r.Skip(gap); err != nil {
				return err
			}
		}
		// A batch ends with its page, whose bytes the values share until the next.
		read, stored, err := r.ReadBatchInPage(int64(n), values[:n], levels[:n], nil)
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			return err
		}
		got := int(read)
		if got == 0 {
			return errors.New("it has too few values")
		}
		next = rows[i] + read
		used := 0
		for k := range got {
			if optional && levels[k] == 0 {
				out[(i+k)*stride] = kalam.Value{}
				continue
			}
			if used == stored {
				return errors.New("it has too few values")
			}
			v, err := convert(values[used])
			if err != nil {
				return err
			}
			used++
			out[(i+k)*stride] = v
		}
		i += got
	}
	return nil
}
