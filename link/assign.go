package link

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/kalamlake/kalam"
)

// scanner is a destination that takes values by itself: those of database/sql, and what libraries make for it.
type scanner interface{ Scan(src any) error }

// assign stores a cell of type t in dst, which can be set.
func assign(dst reflect.Value, t kalam.DataType, cell json.RawMessage) error {
	if s, ok := dst.Addr().Interface().(scanner); ok {
		return scanInto(s, t, cell)
	}
	if isNull(cell) {
		return assignNull(dst)
	}
	if dst.Kind() == reflect.Pointer {
		fresh := reflect.New(dst.Type().Elem())
		if err := assign(fresh.Elem(), t, cell); err != nil {
			return err
		}
		dst.Set(fresh)
		return nil
	}
	switch d := dst.Addr().Interface().(type) {
	case *json.RawMessage:
		*d = rawOf(t, cell)
		return nil
	case *[]byte:
		return assignBytes(d, t, cell)
	case *time.Time:
		return assignAs(d, t, cell)
	case *time.Duration:
		return assignAs(d, t, cell)
	case encoding.TextUnmarshaler:
		text, _ := FormatCell(t, cell) // It is not NULL.
		return d.UnmarshalText([]byte(text))
	}
	return assignKind(dst, t, cell)
}

// scanInto hands a value of those that database/sql has to s: times of day, JSON and lists are text there.
func scanInto(s scanner, t kalam.DataType, cell json.RawMessage) error {
	v, err := DriverValue(t, cell)
	if err != nil {
		return err
	}
	return s.Scan(v)
}

// DriverValue returns a cell as one of the values of database/sql: Value, with times of day, JSON documents and lists
// as their text.
func DriverValue(t kalam.DataType, cell json.RawMessage) (any, error) {
	if isNull(cell) {
		return nil, nil
	}
	if t.Kind == kalam.KindJSON || t.Kind.Family() == kalam.FamilyTime ||
		cell[0] == '[' && t.Kind.Family() != kalam.FamilyBytes {
		text, _ := FormatCell(t, cell) // It is not NULL.
		return text, nil
	}
	return Value(t, cell)
}

// assignNull stores NULL where there is room for it.
func assignNull(dst reflect.Value) error {
	switch dst.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		dst.SetZero()
		return nil
	}
	return fmt.Errorf("it is NULL, for which a %s has no room; use *%s", dst.Type(), dst.Type())
}

// rawOf returns the document of a JSON column, and the cell of any other.
func rawOf(t kalam.DataType, cell json.RawMessage) json.RawMessage {
	if t.Kind == kalam.KindJSON {
		return json.RawMessage(textOf(cell))
	}
	return append(json.RawMessage(nil), cell...)
}

// assignBytes stores BYTES, the text of TEXT and JSON, or the elements of a list.
func assignBytes(dst *[]byte, t kalam.DataType, cell json.RawMessage) (err error) {
	switch {
	case cell[0] == '[':
		*dst, err = bytesOf(cell)
	case cell[0] == '"':
		*dst = []byte(unquote(cell))
	default:
		err = mismatch(t, reflect.TypeOf(*dst))
	}
	return err
}

// assignAs stores a cell whose Value has the type of dst.
func assignAs[T any](dst *T, t kalam.DataType, cell json.RawMessage) error {
	v, err := Value(t, cell)
	if err != nil {
		return err
	}
	value, ok := v.(T)
	if !ok {
		return mismatch(t, reflect.TypeOf(*dst))
	}
	*dst = value
	return nil
}

func mismatch(t kalam.DataType, to reflect.Type) error {
	return fmt.Errorf("%s does not fit a %s", t, to)
}

// assignKind stores a cell by the underlying type of dst.
func assignKind(dst reflect.Value, t kalam.DataType, cell json.RawMessage) error {
	switch dst.Kind() {
	case reflect.Interface:
		v, err := Value(t, cell)
		switch {
		case err != nil:
			return err
		case v == nil:
			dst.SetZero()
			return nil
		case !reflect.TypeOf(v).AssignableTo(dst.Type()):
			return mismatch(t, dst.Type())
		}
		dst.Set(reflect.ValueOf(v))
		return nil
	case reflect.String:
		text, _ := FormatCell(t, cell) // It is not NULL.
		dst.SetString(text)
		return nil
	case reflect.Bool:
		if t.Kind != kalam.KindBoolean {
			return mismatch(t, dst.Type())
		}
		dst.SetBool(cell[0] == 't')
		return nil
	case reflect.Array:
		if t.Kind == kalam.KindUUID && dst.Type().Elem().Kind() == reflect.Uint8 && dst.Len() == uuidBytes {
			return assignUUID(dst, textOf(cell))
		}
	}
	if isNumber(dst.Kind()) {
		return assignNumber(dst, t, cell)
	}
	switch dst.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		if t.Kind == kalam.KindJSON || cell[0] == '[' {
			return json.Unmarshal(rawOf(t, cell), dst.Addr().Interface())
		}
	}
	return mismatch(t, dst.Type())
}

func isNumber(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Float64 }

// assignNumber stores a number, if the type has room for it; BIGINT and DECIMAL come as text.
func assignNumber(dst reflect.Value, t kalam.DataType, cell json.RawMessage) error {
	if !t.Kind.IsNumber() {
		return mismatch(t, dst.Type())
	}
	text, bits := textOf(cell), dst.Type().Bits()
	var err error
	switch {
	case dst.CanInt():
		var n int64
		if n, err = strconv.ParseInt(text, 10, bits); err == nil {
			dst.SetInt(n)
		}
	case dst.CanUint():
		var n uint64
		if n, err = strconv.ParseUint(text, 10, bits); err == nil {
			dst.SetUint(n)
		}
	default:
		var f float64
		if f, err = floatOf(cell); err == nil {
			dst.SetFloat(f)
		}
	}
	if err != nil {
		return fmt.Errorf("%s does not fit a %s", text, dst.Type())
	}
	return nil
}
