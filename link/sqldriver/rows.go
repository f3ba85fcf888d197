package sqldriver

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"math"
	"reflect"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
)

// rows are the results of the statements of one request, one after the other.
type rows struct {
	results  []*link.Result // From the present one on.
	next     int            // Row of the present one.
	location *time.Location
}

var (
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
)

// Columns returns the names of the columns, none for a statement that gives no rows.
func (r *rows) Columns() []string {
	columns := r.results[0].Columns()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// Close drops what was not read.
func (r *rows) Close() error { return nil }

// Next stores the next row in dest.
func (r *rows) Next(dest []driver.Value) error {
	res := r.results[0]
	if r.next == len(res.Rows()) {
		if res.Truncated() {
			return fmt.Errorf("the server cut the result after %d rows: %s", r.next, res.Message())
		}
		return io.EOF
	}
	for i, cell := range res.Rows()[r.next] {
		c := res.Columns()[i]
		v, err := link.DriverValue(c.Type, cell)
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		if at, ok := v.(time.Time); ok && c.Type.Kind.Family() != kalam.FamilyDate {
			v = at.In(r.location)
		}
		dest[i] = v
	}
	r.next++
	return nil
}

// HasNextResultSet reports whether another statement follows.
func (r *rows) HasNextResultSet() bool { return len(r.results) > 1 }

// NextResultSet goes on to the result of the next statement.
func (r *rows) NextResultSet() error {
	if !r.HasNextResultSet() {
		return io.EOF
	}
	r.results, r.next = r.results[1:], 0
	return nil
}

func (r *rows) column(i int) link.Column { return r.results[0].Columns()[i] }

// ColumnTypeDatabaseTypeName returns the SQL name without its length: BIGINT, DECIMAL.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.column(i).Type.Kind.String() }

// ColumnTypeNullable reports whether a column may be NULL, as far as the server says.
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) { return r.column(i).Nullable, true }

// ColumnTypeLength says that texts and bytes have no limit.
func (r *rows) ColumnTypeLength(i int) (length int64, ok bool) {
	switch r.column(i).Type.Kind {
	case kalam.KindText, kalam.KindJSON, kalam.KindBytes:
		return math.MaxInt64, true
	default:
		return 0, false
	}
}

// ColumnTypePrecisionScale returns the size of a DECIMAL.
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := r.column(i).Type
	if t.Kind != kalam.KindDecimal {
		return 0, 0, false
	}
	return int64(t.Precision), int64(t.Scale), true
}

// ColumnTypeScanType returns a type that every cell of the column can be scanned into.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	c := r.column(i)
	switch k := c.Type.Kind; {
	case k == kalam.KindBoolean:
		return either[bool, sql.NullBool](c.Nullable)
	case k.IsInteger():
		return either[int64, sql.NullInt64](c.Nullable)
	case k == kalam.KindFloat, k == kalam.KindDouble:
		return either[float64, sql.NullFloat64](c.Nullable)
	case k.Family() == kalam.FamilyBytes:
		return reflect.TypeFor[[]byte]()
	case k.IsTemporal() && k.Family() != kalam.FamilyTime:
		return either[time.Time, sql.NullTime](c.Nullable)
	}
	return either[string, sql.NullString](c.Nullable)
}

// either returns the type for a column that may be NULL, or for one that may not.
func either[T, N any](nullable bool) reflect.Type {
	if nullable {
		return reflect.TypeFor[N]()
	}
	return reflect.TypeFor[T]()
}
