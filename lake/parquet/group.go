package parquet

import (
	"bytes"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// Group holds the rows of one row group in the row encoding.
type Group struct {
	payloads []byte
	end      []uint32 // where the payload of each row ends
	seqs     []kalam.Seq
	deleted  []bool
}

// Close implements io.Closer; there is nothing to close.
func (g *Group) Close() error { return nil }

func (g *Group) Memory() int64 {
	return int64(len(g.payloads)) + int64(len(g.end))*13 + 128
}

// Row returns a copy of row i: what callers keep must not pin the group.
func (g *Group) Row(i int64) kalam.Row {
	start := uint32(0)
	if i > 0 {
		start = g.end[i-1]
	}
	return kalam.Row{Seq: g.seqs[i], Deleted: g.deleted[i], Payload: bytes.Clone(g.payloads[start:g.end[i]])}
}

// GroupBytes returns about how many bytes a decoded group takes at least: texts
// that repeat are in the file once.
func (f *File) GroupBytes(group int) int64 {
	g := f.meta.RowGroups[group]
	n := g.NumRows * (13 + 8*int64(len(g.Columns)))
	for _, c := range g.Columns {
		n += c.MetaData.GetTotalUncompressedSize()
	}
	return n
}

// DecodeGroup decodes a whole group; one with more than maxText bytes of text is
// ErrTooMuchText.
func (f *File) DecodeGroup(plan *Plan, group int, maxText int64) (*Group, error) {
	n := int(f.rowStart[group+1] - f.rowStart[group])
	rows := make([]int64, n)
	for i := range rows {
		rows[i] = int64(i)
	}
	cells, err := f.readCells(plan, group, rows, &textArena{limit: maxText})
	if err != nil {
		return nil, err
	}
	g := &Group{end: make([]uint32, n), seqs: make([]kalam.Seq, n), deleted: make([]bool, n)}
	width := len(plan.columns) + 2
	for i := range n {
		values := cells[i*width : (i+1)*width]
		g.payloads = datatype.EncodeRow(g.payloads, plan.Table, values[:width-2])
		g.end[i] = uint32(len(g.payloads))
		g.seqs[i] = kalam.Seq(values[width-2].Int())
		g.deleted[i] = values[width-1].Bool()
	}
	g.payloads = bytes.Clone(g.payloads)
	return g, nil
}
