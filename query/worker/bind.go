package worker

import (
	"encoding/binary"
	"errors"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// bindAll sets the parameters of a statement.
func (st *statement) bindAll(params []query.Param) error {
	for i, p := range params {
		var err error
		if p.Paths != nil {
			err = st.bindPaths(i+1, p.Paths)
		} else {
			err = st.bindAs(i+1, p.Value, p.Type)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bindAs is bind for a parameter that meets an expression of type t: a DECIMAL gets
// the digits of t if it has its scale.
func (st *statement) bindAs(i int, v kalam.Value, t kalam.DataType) error {
	if v.Kind() != kalam.KindDecimal || t.Kind != kalam.KindDecimal {
		return st.bind(i, v)
	}
	hi, lo, scale := v.Decimal()
	if scale != t.Scale {
		return st.bind(i, v)
	}
	d := mapping.NewDecimal(t.Precision, scale, mapping.NewHugeInt(lo, hi))
	if mapping.BindDecimal(st.p, mapping.IdxT(i), d) == mapping.StateError {
		return kalam.Errorf(kalam.CodeInvalidParameter, "Parameter $%d cannot be bound", i)
	}
	return nil
}

// bind sets parameter i, counted from 1.
func (st *statement) bind(i int, v kalam.Value) error {
	p, at := st.p, mapping.IdxT(i)
	state := mapping.State(mapping.StateError)
	switch v.Kind().Family() {
	case kalam.FamilyNone:
		state = mapping.BindNull(p, at)
	case kalam.FamilyBoolean:
		state = mapping.BindBoolean(p, at, v.Bool())
	case kalam.FamilyInteger:
		state = bindInteger(p, at, v)
	case kalam.FamilyFloat:
		if v.Kind() == kalam.KindFloat {
			state = mapping.BindFloat(p, at, float32(v.Float64()))
		} else {
			state = mapping.BindDouble(p, at, v.Float64())
		}
	case kalam.FamilyText, kalam.FamilyJSON:
		state = mapping.BindVarchar(p, at, v.Str())
	case kalam.FamilyBytes:
		state = mapping.BindBlob(p, at, []byte(v.Str()))
	case kalam.FamilyInstant:
		if v.Kind() == kalam.KindDateTime {
			state = mapping.BindTimestampTZ(p, at, mapping.NewTimestamp(v.Int()))
		} else {
			state = mapping.BindTimestamp(p, at, mapping.NewTimestamp(v.Int()))
		}
	case kalam.FamilyDate:
		state = mapping.BindDate(p, at, mapping.NewDate(int32(v.Int())))
	case kalam.FamilyTime:
		state = mapping.BindTime(p, at, mapping.NewTime(v.Int()))
	case kalam.FamilyDecimal:
		hi, lo, scale := v.Decimal()
		state = mapping.BindDecimal(p, at, mapping.NewDecimal(kalam.MaxDecimalPrecision, scale, mapping.NewHugeInt(lo, hi)))
	case kalam.FamilyUUID:
		u := v.UUID()
		val := mapping.CreateUUID(mapping.NewUHugeInt(binary.BigEndian.Uint64(u[8:]), binary.BigEndian.Uint64(u[:8])))
		defer mapping.DestroyValue(&val)
		state = mapping.BindValue(p, at, val)
	}
	if state == mapping.StateError {
		return kalam.Errorf(kalam.CodeInvalidParameter, "Parameter $%d cannot be bound", i)
	}
	return nil
}

// bindInteger binds an integer as DuckDB has columns of its type: nothing needs a cast then.
func bindInteger(p mapping.PreparedStatement, at mapping.IdxT, v kalam.Value) mapping.State {
	switch v.Kind() {
	case kalam.KindSmallInt:
		return mapping.BindInt16(p, at, int16(v.Int()))
	case kalam.KindInt:
		return mapping.BindInt32(p, at, int32(v.Int()))
	default:
		return mapping.BindInt64(p, at, v.Int())
	}
}

// bindPaths sets parameter i to the list of paths.
func (st *statement) bindPaths(i int, paths []string) error {
	text := mapping.CreateLogicalType(mapping.TypeVarchar)
	defer mapping.DestroyLogicalType(&text)
	values := make([]mapping.Value, len(paths))
	for k, path := range paths {
		values[k] = mapping.CreateVarchar(path)
	}
	l := mapping.CreateListValue(text, values)
	for k := range values {
		mapping.DestroyValue(&values[k])
	}
	defer mapping.DestroyValue(&l)
	if mapping.BindValue(st.p, mapping.IdxT(i), l) == mapping.StateError {
		return errors.New("bind file names")
	}
	return nil
}
