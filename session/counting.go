package session

import (
	"context"
	"slices"

	"github.com/kalamlake/kalam/buffer"
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
