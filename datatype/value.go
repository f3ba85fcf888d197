package datatype

import (
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

// ValueAt returns cell i of any Arrow array as a value of the type that
// TypeOfArrow reports, for rows that a SELECT hands to an INSERT, UPDATE or
// DELETE. What no kind of ours holds becomes text (intervals) or JSON (lists,
// structs, maps); an unsigned or huge integer beyond BIGINT becomes a DECIMAL
// without decimals. The value does not share the array's memory.
func ValueAt(a arrow.Array, i int) kalam.Value {
	if a.IsNull(i) {
		return kalam.Null()
	}
	switch a := a.(type) {
	case *array.Null:
		return kalam.Null()
	case *array.Boolean:
		return kalam.Bool(a.Value(i))
	case *array.Float16:
		return kalam.Float(a.Value(i).Float32())
	case *array.Float32:
		return kalam.Float(a.Value(i))
	case *array.Float64:
		return kalam.Double(a.Value(i))
	case *array.Uint64:
		if u := a.Value(i); u > math.MaxInt64 {
			return kalam.Decimal(0, u, 0)
		}
	case *array.Decimal32, *array.Decimal64, *array.Decimal128, *array.Decimal256:
		return decimalAt(a, i)
	case array.ExtensionArray:
		return extensionAt(a, i)
	case *array.Dictionary:
		return ValueAt(a.Dictionary(), a.GetValueIndex(i))
	case *array.RunEndEncoded:
		return ValueAt(a.Values(), a.GetPhysicalIndex(i))
	case array.Union:
		field, at := unionChild(a, i)
		return ValueAt(field, at)
	case array.ListLike, *array.Struct:
		return kalam.JSON(string(document{}.append(nil, a, i)))
	}
	if n, ok := integerOf(a, i); ok {
		return kalam.Integer(typeOfArrow(a.DataType()).Kind, n)
	}
	if b, ok := bytesOf(a, i); ok {
		return kalam.Bytes(strings.Clone(b))
	}
	if s, ok := stringOf(a, i); ok {
		return kalam.Text(strings.Clone(s))
	}
	return kalam.Text(textCell(a, i))
}

// integerOf returns the value of arrays that hold integers and times, times in
// the units of our kinds.
func integerOf(a arrow.Array, i int) (int64, bool) {
	switch a := a.(type) {
	case *array.Int8:
		return int64(a.Value(i)), true
	case *array.Int16:
		return int64(a.Value(i)), true
	case *array.Int32:
		return int64(a.Value(i)), true
	case *array.Int64:
		return a.Value(i), true
	case *array.Uint8:
		return int64(a.Value(i)), true
	case *array.Uint16:
		return int64(a.Value(i)), true
	case *array.Uint32:
		return int64(a.Value(i)), true
	case *array.Uint64:
		return int64(a.Value(i)), true
	case *array.Timestamp:
		return toMicros(int64(a.Value(i)), a.DataType().(*arrow.TimestampType).Unit), true
	case *array.Date32:
		return int64(a.Value(i)), true
	case *array.Date64:
		return floorDiv(int64(a.Value(i)), microsPerDay/1000), true
	case *array.Time32:
		return toMicros(int64(a.Value(i)), a.DataType().(*arrow.Time32Type).Unit), true
	case *array.Time64:
		return toMicros(int64(a.Value(i)), a.DataType().(*arrow.Time64Type).Unit), true
	}
	return 0, false
}

// toMicros converts n units to microseconds.
func toMicros(n int64, unit arrow.TimeUnit) int64 {
	switch unit {
	case arrow.Second:
		return saturatingMul(n, microsPerSecond)
	case arrow.Millisecond:
		return saturatingMul(n, 1000)
	case arrow.Nanosecond:
		return floorDiv(n, 1000)
	}
	return n
}

// saturatingMul returns n*m, or the nearest int64; m is positive.
func saturatingMul(n, m int64) int64 {
	switch {
	case n > math.MaxInt64/m:
		return math.MaxInt64
	case n < math.MinInt64/m:
		return math.MinInt64
	}
	return n * m
}

// stringOf returns the value of arrays of strings, sharing their memory.
func stringOf(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case *array.String:
		return a.Value(i), true
	case *array.LargeString:
		return a.Value(i), true
	case *array.StringView:
		return a.Value(i), true
	}
	return "", false
}

// bytesOf returns the value of arrays of bytes, sharing their memory.
func bytesOf(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case *array.Binary:
		return aliased(a.Value(i)), true
	case *array.LargeBinary:
		return aliased(a.Value(i)), true
	case *array.BinaryView:
		return aliased(a.Value(i)), true
	case *array.FixedSizeBinary:
		return aliased(a.Value(i)), true
	}
	return "", false
}

// decimalAt returns a decimal of any width: DECIMAL, or TEXT when it has more
// digits or another scale than DECIMAL can.
func decimalAt(a arrow.Array, i int) kalam.Value {
	t := typeOfArrow(a.DataType())
	if t.Kind == kalam.KindDecimal {
		switch a := a.(type) {
		case *array.Decimal128:
			n := a.Value(i)
			return kalam.Decimal(n.HighBits(), n.LowBits(), t.Scale)
		case *array.Decimal64:
			return kalam.Decimal(int64(a.Value(i))>>63, uint64(a.Value(i)), t.Scale)
		case *array.Decimal32:
			n := int64(a.Value(i))
			return kalam.Decimal(n>>63, uint64(n), t.Scale)
		}
		if v, ok, err := parseDecimal(t, string(appendArrowDecimal(nil, a, i))); ok && err == nil {
			return v
		}
	}
	return kalam.Text(string(appendArrowDecimal(nil, a, i)))
}

// appendArrowDecimal appends a decimal of any width with its scale of decimals.
func appendArrowDecimal(dst []byte, a arrow.Array, i int) []byte {
	switch a := a.(type) {
	case *array.Decimal32:
		n := int64(a.Value(i))
		return appendDecimal(dst, n>>63, uint64(n), int(a.DataType().(*arrow.Decimal32Type).Scale))
	case *array.Decimal64:
		n := int64(a.Value(i))
		return appendDecimal(dst, n>>63, uint64(n), int(a.DataType().(*arrow.Decimal64Type).Scale))
	case *array.Decimal128:
		n := a.Value(i)
		return appendDecimal(dst, n.HighBits(), n.LowBits(), int(a.DataType().(*arrow.Decimal128Type).Scale))
	case *array.Decimal256:
		n := a.Value(i)
		return append(dst, n.ToString(a.DataType().(*arrow.Decimal256Type).Scale)...)
	}
	return dst
}

// extensionAt is ValueAt for extension types.
func extensionAt(a array.ExtensionArray, i int) kalam.Value {
	switch a.ExtensionType().ExtensionName() {
	case "arrow.uuid":
		if f, ok := a.Storage().(*array.FixedSizeBinary); ok && len(f.Value(i)) == 16 {
			return kalam.UUID([16]byte(f.Value(i)))
		}
	case "arrow.json":
		if s, ok := stringOf(a.Storage(), i); ok {
			return kalam.JSON(strings.Clone(s))
		}
	case "arrow.bool8":
		if b, ok := a.Storage().(*array.Int8); ok {
			return kalam.Bool(b.Value(i) != 0)
		}
	}
	return ValueAt(a.Storage(), i)
}

// unionChild returns where the value of element i of a union is.
func unionChild(a array.Union, i int) (arrow.Array, int) {
	child := a.Field(a.ChildID(i))
	if dense, ok := a.(*array.DenseUnion); ok {
		return child, int(dense.ValueOffset(i))
	}
	return child, i
}

// textCell returns the text of the types that only results have: the document of
// a STRUCT or MAP, an interval as DuckDB prints it, and Arrow's own text for the
// rest.
func textCell(a arrow.Array, i int) string {
	switch a := a.(type) {
	case *array.Struct, *array.Map:
		return string(document{cell: true}.append(nil, a, i))
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		return intervalText(int64(v.Months), int64(v.Days), floorDiv(v.Nanoseconds, 1000))
	case *array.DayTimeInterval:
		v := a.Value(i)
		return intervalText(0, int64(v.Days), int64(v.Milliseconds)*1000)
	case *array.MonthInterval:
		return intervalText(int64(a.Value(i)), 0, 0)
	case *array.Duration:
		return intervalText(0, 0, toMicros(int64(a.Value(i)), a.DataType().(*arrow.DurationType).Unit))
	}
	return a.ValueStr(i)
}

// intervalText returns "1 year 2 months 3 days 04:05:06.5".
func intervalText(months, days, micros int64) string {
	var dst []byte
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if len(dst) > 0 {
			dst = append(dst, ' ')
		}
		dst = append(append(strconv.AppendInt(dst, n, 10), ' '), unit...)
		if n != 1 && n != -1 {
			dst = append(dst, 's')
		}
	}
	part(months/12, "year")
	part(months%12, "month")
	part(days, "day")
	if micros == 0 && len(dst) > 0 {
		return string(dst)
	}
	if len(dst) > 0 {
		dst = append(dst, ' ')
	}
	if micros < 0 {
		dst = append(dst, '-')
		micros = -max(micros, -math.MaxInt64)
	}
	return string(appendClock(dst, micros))
}

// document writes a cell as part of a JSON document, in which, unlike in a cell, times
// are text.
type document struct {
	// cell writes numbers of more than 53 bits as strings, as in cells, because readers of
	// JSON keep no more. Without it all numbers are numbers: the document is to be stored.
	cell bool
	json bool // Text is a JSON document, which stands in this one as it is.
}

// of returns d for the values of a nested field.
func (d document) of(f arrow.Field) document {
	name, ok := f.Metadata.GetValue(MetadataType)
	d.json = ok && name == metadataJSON
	return d
}

// append appends cell i of a.
func (d document) append(dst []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(dst, "null"...)
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return d.append(dst, a.Dictionary(), a.GetValueIndex(i))
	case *array.RunEndEncoded:
		return d.append(dst, a.Values(), a.GetPhysicalIndex(i))
	case array.Union:
		field, at := unionChild(a, i)
		return d.append(dst, field, at)
	case *array.Struct:
		return d.appendStruct(dst, a, i)
	case *array.Map:
		return d.appendMap(dst, a, i)
	case array.ListLike:
		return d.appendList(dst, a, i)
	}
	v := ValueAt(a, i)
	switch k := v.Kind(); {
	case k.IsExact() && d.cell, k == kalam.KindNull, k.Family() == kalam.FamilyFloat:
		return AppendValue(dst, v)
	case k.IsExact(), k == kalam.KindBoolean:
		return appendText(dst, v)
	case (d.json && k == kalam.KindText || k == kalam.KindJSON) && CheckJSON(v.Str()) == nil:
		return append(dst, v.Str()...)
	}
	return AppendJSONString(dst, Format(v))
}

// appendList appends a list as an array.
func (d document) appendList(dst []byte, a array.ListLike, i int) []byte {
	if t, ok := a.DataType().(arrow.ListLikeType); ok {
		d = d.of(t.ElemField())
	}
	start, end := a.ValueOffsets(i)
	dst = append(dst, '[')
	for j := start; j < end; j++ {
		if j > start {
			dst = append(dst, ',')
		}
		dst = d.append(dst, a.ListValues(), int(j))
	}
	return append(dst, ']')
}

// appendStruct appends a STRUCT as an object.
func (d document) appendStruct(dst []byte, a *array.Struct, i int) []byte {
	t := a.DataType().(*arrow.StructType)
	dst = append(dst, '{')
	for f := range t.NumFields() {
		if f > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendJSONString(dst, t.Field(f).Name), ':')
		dst = d.of(t.Field(f)).append(dst, a.Field(f), i)
	}
	return append(dst, '}')
}

// appendMap appends a MAP as an object whose names are the keys as text.
func (d document) appendMap(dst []byte, a *array.Map, i int) []byte {
	d = d.of(a.DataType().(*arrow.MapType).ItemField())
	start, end := a.ValueOffsets(i)
	dst = append(dst, '{')
	for j := start; j < end; j++ {
		if j > start {
			dst = append(dst, ',')
		}
		dst = append(AppendJSONString(dst, Format(ValueAt(a.Keys(), int(j)))), ':')
		dst = d.append(dst, a.Items(), int(j))
	}
	return append(dst, '}')
}
