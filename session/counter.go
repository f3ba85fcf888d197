package session

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
)

// nextCount takes a value of a column's counter, above floor and above what the
// open transaction has written.
func (s *Session) nextCount(
	ctx context.Context, id buffer.CounterID, c *kalam.Column, floor int64,
) (kalam.Value, error) {
	if s.txn != nil {
		floor = max(floor, s.txn.counts[id])
	}
	limit := datatype.MaxInt(c.Type.Kind)
	n, err := s.Store.NextCount(ctx, id, floor, limit)
	if errors.Is(err, buffer.ErrCounterSpent) {
		return kalam.Value{}, kalam.Errorf(kalam.CodeConstraint,
			"Column '%s': its counter is used up, %d is the highest %s; a BIGINT column is filled without a counter",
			c.Name, limit, c.Type)
	}
	return kalam.Integer(c.Type.Kind, n), err
}

func countedColumns(t *kalam.Table) []int {
	var out []int
	for i := range t.Columns {
		if t.Columns[i].IsCounted() {
			out = append(out, i)
		}
	}
	return out
}

// countsOf returns the highest value that mutations hold of each counter.
func countsOf(muts []buffer.Mutation) (map[buffer.CounterID]int64, error) {
	var out map[buffer.CounterID]int64
	var t *kalam.Table
	var columns []int
	var vals []kalam.Value
	for i := range muts {
		m := &muts[i]
		if m.Table != t {
			t, columns = m.Table, countedColumns(m.Table)
		}
		if len(columns) == 0 || m.Kind == kalam.ChangeDelete {
			continue
		}
		var err error
		if vals, err = datatype.DecodeRow(t, m.Payload, vals); err != nil {
			return nil, err
		}
		if out == nil {
			out = map[buffer.CounterID]int64{}
		}
		for _, c := range columns {
			if id := (buffer.CounterID{Scope: m.Scope, Column: t.Columns[c].ID}); !vals[c].IsNull() {
				out[id] = max(out[id], vals[c].Int())
			}
		}
	}
	return out, nil
}

// countList returns counts as the store takes them.
func countList(counts map[buffer.CounterID]int64) []buffer.Count {
	var out []buffer.Count
	for id, n := range counts {
		if n > 0 {
			out = append(out, buffer.Count{ID: id, Value: n})
		}
	}
	return out
}
