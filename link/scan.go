package link

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"
)

// Each yields the rows of a result as values of T, with an error for one that does not fit, which ends it. T is a
// struct, a map[string]any, or, for results of one column, any type that a cell fits.
//
// A column goes to the field whose tag `kalam:"name"`, or else `db:"name"`, names it, or to that of the same name
// when case and underscores are left out: created_at to CreatedAt. Fields of embedded structs are fields of the
// struct; a tag "-" leaves a field out. A column without a field is an error, unless its name begins with an
// underscore as those of the system do; a field without a column stays zero.
//
// Cells fit: integers and floats in range, bool, string (any type, as FormatCell writes it), time.Time, time.Duration
// (TIME), []byte, [16]byte (UUID), any (as Value), json.RawMessage, what reads text (UnmarshalText) or is a Scanner
// of database/sql, and for JSON and lists what encoding/json fills. DECIMAL fits strings, floats, and types of
// libraries that read text, such as big.Rat. NULL needs a pointer, a slice, a map, an any or a Scanner.
func Each[T any](r *Result) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p, err := newPlan(reflect.TypeFor[T](), r.columns)
		if err != nil {
			var zero T
			yield(zero, err)
			return
		}
		for i, cells := range r.rows {
			var row T
			if err := p.fill(reflect.ValueOf(&row).Elem(), cells); err != nil {
				var zero T
				yield(zero, wrap(KindSerialization, err, fmt.Sprintf("row %d", i+1)))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Collect returns the rows of a result as values of T, see Each. It is empty, not nil, without rows.
func Collect[T any](r *Result) ([]T, error) {
	rows := make([]T, 0, len(r.rows))
	for row, err := range Each[T](r) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Select runs one statement that gives rows and returns them as values of T, see Each.
func Select[T any](ctx context.Context, c *Client, sql string, params ...any) ([]T, error) {
	res, err := c.Query(ctx, sql, params...)
	if err != nil {
		return nil, err
	}
	if len(res.Results) != 1 || !res.Results[0].HasRows() {
		return nil, errorf(KindInvalidOption, "Select takes one statement that gives rows, Query runs all others")
	}
	return Collect[T](res.Results[0])
}

// ScanRow returns a row of a live query as a value of T, see Each. The columns are those of the Subscription.
func ScanRow[T any](columns []Column, row Row) (T, error) {
	var v T
	p, err := newPlan(reflect.TypeFor[T](), columns)
	if err == nil {
		err = p.fillRow(reflect.ValueOf(&v).Elem(), row)
	}
	return v, err
}

// plan says where the cells of a row go.
type plan struct {
	columns []Column
	fields  [][]int // Of each column; nil for one that is left out, empty for the value itself.
	asMap   bool    // The value is a map[string]any.
}

// newPlan matches the columns with a type. The error is of KindInvalidOption.
func newPlan(t reflect.Type, columns []Column) (*plan, error) {
	p := &plan{columns: columns, fields: make([][]int, len(columns))}
	if t == reflect.TypeFor[map[string]any]() {
		p.asMap = true
		return p, nil
	}
	if !hasFields(t) {
		if len(columns) != 1 {
			return nil, errorf(KindInvalidOption, "a %s takes rows of one column, these have %d; use a struct", t, len(columns))
		}
		p.fields[0] = []int{}
		return p, nil
	}
	known := map[string][]int{}
	addFields(known, t, nil)
	taken := map[string]string{}
	for i, c := range columns {
		path := known[c.Name]
		if path == nil {
			path = known[plainName(c.Name)]
		}
		switch key := fmt.Sprint(path); {
		case path == nil && strings.HasPrefix(c.Name, "_"):
		case path == nil:
			return nil, errorf(
				KindInvalidOption,
				"column %s has no field in %s: add one, or a tag `kalam:%q`",
				c.Name,
				t,
				c.Name,
			)
		case taken[key] != "":
			return nil, errorf(KindInvalidOption, "columns %s and %s both go to field %s of %s", taken[key], c.Name,
				t.FieldByIndex(path).Name, t)
		default:
			taken[key], p.fields[i] = c.Name, path
		}
	}
	return p, nil
}

// hasFields reports whether columns go to the fields of a type: it is a struct, and no value by itself.
func hasFields(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return false
	}
	of := reflect.PointerTo(t)
	return !of.Implements(reflect.TypeFor[scanner]()) &&
		!of.Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]())
}

// maxEmbedded is how deep embedded structs are looked at.
const maxEmbedded = 8

// addFields adds the fields of a struct by their names: those of tags as they are, all others plain. Outer fields win
// over those of embedded structs, as in Go.
func addFields(known map[string][]int, t reflect.Type, path []int) {
	var embedded []reflect.StructField
	for f := range t.Fields() {
		tag := tagOf(f)
		switch {
		case tag == "-":
			continue
		case f.Anonymous && tag == "" && hasFields(deref(f.Type)) && (f.IsExported() || f.Type.Kind() == reflect.Struct):
			embedded = append(embedded, f)
			continue
		case !f.IsExported():
			continue
		case tag == "":
			tag = plainName(f.Name)
		}
		if _, ok := known[tag]; !ok {
			known[tag] = append(append([]int{}, path...), f.Index...)
		}
	}
	for _, f := range embedded {
		if len(path) >= maxEmbedded {
			continue // A struct that holds itself.
		}
		addFields(known, deref(f.Type), append(append([]int{}, path...), f.Index...))
	}
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// tagOf returns the name that a field's tag gives, "" for none.
func tagOf(f reflect.StructField) string {
	tag := f.Tag.Get("kalam")
	if tag == "" {
		tag = f.Tag.Get("db")
	}
	name, _, _ := strings.Cut(tag, ",")
	return name
}

// plainName is a name without case and underscores.
func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// fill stores the cells of a row in dst.
func (p *plan) fill(dst reflect.Value, cells []json.RawMessage) error {
	if p.asMap {
		return p.fillMap(dst, cells)
	}
	for i, cell := range cells {
		path := p.fields[i]
		if path == nil {
			continue
		}
		if err := assign(fieldAt(dst, path), p.columns[i].Type, cell); err != nil {
			return fmt.Errorf("column %s: %w", p.columns[i].Name, err)
		}
	}
	return nil
}

func (p *plan) fillMap(dst reflect.Value, cells []json.RawMessage) error {
	m := make(map[string]any, len(cells))
	for i, cell := range cells {
		v, err := Value(p.columns[i].Type, cell)
		if err != nil {
			return fmt.Errorf("column %s: %w", p.columns[i].Name, err)
		}
		m[p.columns[i].Name] = v
	}
	dst.Set(reflect.ValueOf(m))
	return nil
}

// fillRow stores the cells of a row of a live query in dst.
func (p *plan) fillRow(dst reflect.Value, row Row) error {
	var here plan
	var cells []json.RawMessage
	here.asMap = p.asMap
	for i, c := range p.columns {
		if cell, ok := row[c.Name]; ok { // A column that was just added is not in the rows of before.
			here.columns, here.fields = append(here.columns, c), append(here.fields, p.fields[i])
			cells = append(cells, cell)
		}
	}
	if err := here.fill(dst, cells); err != nil {
		return wrap(KindSerialization, err, "row")
	}
	return nil
}

// fieldAt returns a field, and makes the embedded structs on the way to it that are behind nil pointers.
func fieldAt(v reflect.Value, path []int) reflect.Value {
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// uuidBytes is the size of a UUID.
const uuidBytes = 16

// assignUUID stores a UUID's bytes in an array of them.
func assignUUID(dst reflect.Value, text string) error {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != uuidBytes {
		return fmt.Errorf("%q is no UUID", text)
	}
	for i := range b {
		dst.Index(i).SetUint(uint64(b[i]))
	}
	return nil
}
