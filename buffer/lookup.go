package buffer

import (
	"bytes"
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// position is where the newest version of a key lies in the lake. Segment 0
// means that the lake holds none that is not replaced.
type position struct {
	segment   kalam.SegmentID
	index     int // Of the segment in the lake state it was found in.
	row       uint32
	tombstone bool
}

// locate finds the newest version of each key in the lake. Row positions that
// later writes replaced are passed over: of a key, at most one version is left.
func (s *Store) locate(ctx context.Context, l *lakeState, keys [][]byte) ([]position, error) {
	found := make([]position, len(keys))
	open := make([]int, len(keys)) // Keys that are not found yet.
	for i := range open {
		open[i] = i
	}
	var asked [][]byte
	var which []int
	for n := len(l.Segments) - 1; n >= 0 && len(open) > 0; n-- {
		seg := &l.Segments[n]
		asked, which = asked[:0], which[:0]
		for _, i := range open {
			if inRange(seg, keys[i]) {
				asked, which = append(asked, keys[i]), append(which, i)
			}
		}
		if len(asked) == 0 {
			continue
		}
		rows, err := s.opts.Segments.Find(ctx, seg, asked)
		if err != nil {
			return nil, fmt.Errorf("look up keys in segment %s: %w", seg.Path, err)
		}
		v := l.vectors[n]
		for k, row := range rows {
			if row < 0 || v.dead != nil && v.dead.Contains(uint32(row)) {
				continue
			}
			found[which[k]] = position{
				segment: seg.ID, index: n, row: uint32(row),
				tombstone: v.tombstones != nil && v.tombstones.Contains(uint32(row)),
			}
		}
		rest := open[:0]
		for _, i := range open {
			if found[i].segment == 0 {
				rest = append(rest, i)
			}
		}
		open = rest
	}
	return found, nil
}

// inRange reports whether the segment can hold the key.
func inRange(seg *kalam.Segment, key []byte) bool {
	return bytes.Compare(key, seg.MinKey) >= 0 && (seg.MaxKey == nil || bytes.Compare(key, seg.MaxKey) <= 0)
}

// readRows reads the rows at the positions, with one read per segment. Where
// there is none, or a tombstone, the row is zero.
func (s *Store) readRows(ctx context.Context, t *kalam.Table, l *lakeState, at []position) ([]kalam.Row, error) {
	out := make([]kalam.Row, len(at))
	var rows []int64
	var which []int
	for n := range l.Segments {
		rows, which = rows[:0], which[:0]
		for i := range at {
			if at[i].segment != 0 && at[i].index == n && !at[i].tombstone {
				rows, which = append(rows, int64(at[i].row)), append(which, i)
			}
		}
		if len(rows) == 0 {
			continue
		}
		read, err := s.opts.Segments.ReadRows(ctx, t, &l.Segments[n], rows)
		if err != nil {
			return nil, fmt.Errorf("read rows of segment %s: %w", l.Segments[n].Path, err)
		}
		for k, i := range which {
			out[i] = read[k]
		}
	}
	return out, nil
}

// find returns the live row of a key that the log does not hold.
func (s *Store) find(ctx context.Context, t *kalam.Table, l *lakeState, key []byte) (kalam.Row, bool, error) {
	if len(l.Segments) == 0 {
		return kalam.Row{}, false, nil
	}
	at, err := s.locate(ctx, l, [][]byte{key})
	if err != nil || at[0].segment == 0 || at[0].tombstone {
		return kalam.Row{}, false, err
	}
	rows, err := s.readRows(ctx, t, l, at)
	if err != nil {
		return kalam.Row{}, false, err
	}
	row, ok := live(rows[0])
	return row, ok, nil
}

// checkLake looks up the mutations (indexes into muts) of one scope whose keys
// the log does not hold and writes what it found into out.
func (s *Store) checkLake(ctx context.Context, l *lakeState, muts []Mutation, which []int, out []flushed) error {
	keys := make([][]byte, len(which))
	for k, i := range which {
		keys[k] = muts[i].Key
	}
	at, err := s.locate(ctx, l, keys)
	if err != nil {
		return err
	}
	expecting := make([]position, len(at)) // Those of which the seq must be known.
	need := false
	for k, i := range which {
		f := flushed{checked: true}
		if at[k].segment != 0 {
			f.live = !at[k].tombstone
			f.row = rowlog.RowRef{Segment: at[k].segment, Row: at[k].row}
			if f.live && muts[i].Kind != kalam.ChangeInsert && !muts[i].Own {
				expecting[k], need = at[k], true
			}
		}
		out[i] = f
	}
	if !need {
		return nil
	}
	rows, err := s.readRows(ctx, muts[which[0]].Table, l, expecting)
	if err != nil {
		return err
	}
	for k, i := range which {
		if expecting[k].segment != 0 {
			out[i].seq = rows[k].Seq
		}
	}
	return nil
}
