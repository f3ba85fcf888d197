package counts

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
)

// Columns returns the indexes of the columns of t that a counter fills.
func Columns(t *kalam.Table) []int {
	var out []int
	for i := range t.Columns {
		if t.Columns[i].IsCounted() {
			out = append(out, i)
		}
	}
	return out
}

// Of returns the highest value that mutations hold of each counter.
func Of(muts []buffer.Mutation) (map[buffer.CounterID]int64, error) {
	var out map[buffer.CounterID]int64
	var t *kalam.Table
	var columns []int
	var vals []kalam.Value
	for i := range muts {
		m := &muts[i]
		if m.Table != t {
			t, columns = m.Table, Columns(m.Table)
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

// List returns counts as the store takes them.
func List(counts map[buffer.CounterID]int64) []buffer.Count {
	var out []buffer.Count
	for id, n := range counts {
		if n > 0 {
			out = append(out, buffer.Count{ID: id, Value: n})
		}
	}
	return out
}
