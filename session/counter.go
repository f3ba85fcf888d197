package session

import (
	"context"
	"errors"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
)

// counting says which rows of a statement take a value of a column's counter.
type counting struct {
	column int
	all    bool  // The statement does not name the column.
	rows   []int // Otherwise those that say DEFAULT, in order.
}

// takes reports whether row i does.
func (c *counting) takes(i int) bool {
	if c.all {
		return true
	}
	_, found := slices.BinarySearch(c.rows, i)
	return found
}

// startCounting notes the counted columns of the table; w.given is known.
func (w *writer) startCounting() {
	for i := range w.table.Columns {
		if w.table.Columns[i].IsCounted() {
			w.counting = append(w.counting, counting{column: i, all: !w.given[i]})
		}
	}
}

// defaulted notes that a row says DEFAULT for a counted column.
func (w *writer) defaulted(column, row int) {
	for i := range w.counting {
		if w.counting[i].column == column {
			w.counting[i].rows = append(w.counting[i].rows, row)
		}
	}
}

// count gives the rows the values of counters that they are to take: after all
// others are known, so that each is above what the statement itself gives.
func (w *writer) count(ctx context.Context) error {
	for i := range w.counting {
		k := &w.counting[i]
		id := buffer.CounterID{Scope: w.session.Scope(w.table), Column: w.table.Columns[k.column].ID}
		floor := int64(0)
		for r := range w.rows {
			if !k.takes(r) && !w.rows[r][k.column].IsNull() {
				floor = max(floor, w.rows[r][k.column].Int())
			}
		}
		for r := range w.rows {
			if !k.takes(r) {
				continue
			}
			v, err := w.session.nextCount(ctx, id, &w.table.Columns[k.column], floor)
			if err != nil {
				return err
			}
			w.rows[r][k.column] = v
		}
	}
	return nil
}

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

// countsKey reports whether a row's key holds a value that its counter gave.
func (w *writer) countsKey(row int) bool {
	for i := range w.counting {
		if k := &w.counting[i]; w.table.IsKey(k.column) && k.takes(row) {
			return true
		}
	}
	return false
}

// countsKeys reports whether the key of any row does.
func (w *writer) countsKeys() bool {
	for r := range w.rows {
		if w.countsKey(r) {
			return true
		}
	}
	return false
}

// freeKeys returns the insertions of an upsert, with other values of the counter
// where somebody has given one of them to a row by hand: that row is not meant.
func (w *writer) freeKeys(ctx context.Context, inserts []change) ([]change, error) {
	for range maxAttempts {
		taken := false
		for i := range inserts {
			if !w.countsKey(i) {
				continue
			}
			_, live, err := w.session.Current(ctx, w.table, inserts[i].Key)
			if err != nil {
				return nil, err
			}
			taken = taken || live
		}
		if !taken {
			break
		}
		if err := w.count(ctx); err != nil {
			return nil, err
		}
		var err error
		if inserts, err = w.insertions(); err != nil {
			return nil, err
		}
	}
	return inserts, nil
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

func countedColumns(t *kalam.Table) []int {
	var out []int
	for i := range t.Columns {
		if t.Columns[i].IsCounted() {
			out = append(out, i)
		}
	}
	return out
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

// checkGenerated refuses values for columns that are GENERATED ALWAYS.
func checkGenerated(t *kalam.Table, st *ast.Insert, target []int) error {
	if st.Overriding {
		return nil
	}
	for i, j := range target {
		c := &t.Columns[j]
		if c.Default == nil || !c.Default.Always {
			continue
		}
		if st.Select != "" {
			return generatedAlways(c).At(st.SelectPos)
		}
		for _, list := range st.Rows {
			if i < len(list) && list[i].Kind != ast.ExprDefault {
				return generatedAlways(c).At(list[i].Pos)
			}
		}
	}
	return nil
}

func generatedAlways(c *kalam.Column) *kalam.Error {
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"Column '%s' is GENERATED ALWAYS: leave it out, write DEFAULT, or insert with OVERRIDING SYSTEM VALUE", c.Name)
}
