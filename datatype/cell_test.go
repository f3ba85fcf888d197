package datatype_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// foreign is an array that no table has but a result may.
type foreign struct {
	name  string
	array arrow.Array
	typ   string // wire type
	cell  string // of element 0
	value string // text of ValueAt of element 0
}

// one builds an array with one value and a NULL.
func one[B array.Builder](b B, add func(B)) arrow.Array {
	add(b)
	b.AppendNull()
	return b.NewArray()
}

func fromJSON(t testing.TB, dt arrow.DataType, doc string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func foreignNumbers(t testing.TB) []foreign {
	mem := memory.DefaultAllocator
	huge := &arrow.Decimal128Type{Precision: 38}
	return []foreign{
		{"int8", one(array.NewInt8Builder(mem), func(b *array.Int8Builder) { b.Append(-128) }), `"SmallInt"`, "-128",
			"-128"},
		{"uint8", one(array.NewUint8Builder(mem), func(b *array.Uint8Builder) { b.Append(255) }), `"SmallInt"`, "255",
			"255"},
		{"uint16", one(array.NewUint16Builder(mem), func(b *array.Uint16Builder) { b.Append(65535) }), `"Int"`, "65535",
			"65535"},
		{"uint32", one(array.NewUint32Builder(mem), func(b *array.Uint32Builder) { b.Append(math.MaxUint32) }),
			`"BigInt"`, "4294967295", "4294967295"},
		{"uint64", one(array.NewUint64Builder(mem), func(b *array.Uint64Builder) { b.Append(math.MaxUint64) }),
			`"BigInt"`, `"18446744073709551615"`, "18446744073709551615"},
		{"float16", one(array.NewFloat16Builder(mem), func(b *array.Float16Builder) { b.Append(float16.New(1.5)) }),
			`"Float"`, "1.5", "1.5"},
		{"hugeint", one(array.NewDecimal128Builder(mem, huge),
			func(b *array.Decimal128Builder) { b.Append(decimal128.New(1, 0)) }),
			`{"Decimal":{"precision":38,"scale":0}}`, `"18446744073709551616"`, "18446744073709551616"},
		{"decimal32", fromJSON(t, &arrow.Decimal32Type{Precision: 9, Scale: 2}, `["-0.50", null]`),
			`{"Decimal":{"precision":9,"scale":2}}`, `"-0.50"`, "-0.50"},
		{"decimal64", fromJSON(t, &arrow.Decimal64Type{Precision: 18, Scale: 2}, `["-0.50", null]`),
			`{"Decimal":{"precision":18,"scale":2}}`, `"-0.50"`, "-0.50"},
		{"decimal256", one(array.NewDecimal256Builder(mem, &arrow.Decimal256Type{Precision: 50, Scale: 1}),
			func(b *array.Decimal256Builder) { b.Append(decimal256.FromI64(-15)) }),
			`"Text"`, `"-1.5"`, "-1.5"},
		{"decimal256 small", one(array.NewDecimal256Builder(mem, &arrow.Decimal256Type{Precision: 38, Scale: 1}),
			func(b *array.Decimal256Builder) { b.Append(decimal256.FromI64(-15)) }),
			`{"Decimal":{"precision":38,"scale":1}}`, `"-1.5"`, "-1.5"},
		{"negative scale", one(array.NewDecimal128Builder(mem, &arrow.Decimal128Type{Precision: 3, Scale: -2}),
			func(b *array.Decimal128Builder) { b.Append(decimal128.FromI64(12)) }),
			`"Text"`, `"1200"`, "1200"},
	}
}

func foreignTimes(t testing.TB) []foreign {
	mem := memory.DefaultAllocator
	stamp := func(u arrow.TimeUnit, n int64) arrow.Array {
		return one(array.NewTimestampBuilder(mem, &arrow.TimestampType{Unit: u}),
			func(b *array.TimestampBuilder) { b.Append(arrow.Timestamp(n)) })
	}
	interval := func(m, d int32, ns int64) arrow.Array {
		return one(array.NewMonthDayNanoIntervalBuilder(mem), func(b *array.MonthDayNanoIntervalBuilder) {
			b.Append(arrow.MonthDayNanoInterval{Months: m, Days: d, Nanoseconds: ns})
		})
	}
	return []foreign{
		{"timestamp s", stamp(arrow.Second, -1), `"Timestamp"`, "-1000000", "1969-12-31 23:59:59"},
		{"timestamp s beyond", stamp(arrow.Second, math.MaxInt64), `"Timestamp"`, "9223372036854775807",
			"294247-01-10 04:00:54.775807"},
		{"timestamp ms", stamp(arrow.Millisecond, 1), `"Timestamp"`, "1000", "1970-01-01 00:00:00.001"},
		{"timestamp ns", stamp(arrow.Nanosecond, -1), `"Timestamp"`, "-1", "1969-12-31 23:59:59.999999"},
		{"timestamptz", one(array.NewTimestampBuilder(mem,
			&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Europe/Berlin"}),
			func(b *array.TimestampBuilder) { b.Append(5) }),
			`"DateTime"`, "5", "1970-01-01 00:00:00.000005+00"},
		{"date64", one(array.NewDate64Builder(mem), func(b *array.Date64Builder) { b.Append(-86400000) }), `"Date"`,
			"-1", "1969-12-31"},
		{"time32", one(array.NewTime32Builder(mem, arrow.FixedWidthTypes.Time32s.(*arrow.Time32Type)),
			func(b *array.Time32Builder) { b.Append(1) }), `"Time"`, "1000000", "00:00:01"},
		{"time64 ns", one(array.NewTime64Builder(mem, arrow.FixedWidthTypes.Time64ns.(*arrow.Time64Type)),
			func(b *array.Time64Builder) { b.Append(1999) }), `"Time"`, "1", "00:00:00.000001"},
		{"interval", interval(14, 3, 14706789000000), `"Text"`, `"1 year 2 months 3 days 04:05:06.789"`,
			"1 year 2 months 3 days 04:05:06.789"},
		{"interval negative", interval(-13, -1, -1000), `"Text"`, `"-1 year -1 month -1 day -00:00:00.000001"`,
			"-1 year -1 month -1 day -00:00:00.000001"},
		{"interval zero", interval(0, 0, 0), `"Text"`, `"00:00:00"`, "00:00:00"},
		{"interval days", interval(0, 1, 0), `"Text"`, `"1 day"`, "1 day"},
		{"duration", one(array.NewDurationBuilder(mem, arrow.FixedWidthTypes.Duration_ms.(*arrow.DurationType)),
			func(b *array.DurationBuilder) { b.Append(3600001) }),
			`"Text"`, `"01:00:00.001"`, "01:00:00.001"},
		{"month interval", one(array.NewMonthIntervalBuilder(mem),
			func(b *array.MonthIntervalBuilder) { b.Append(12) }), `"Text"`, `"1 year"`, "1 year"},
		{"day time interval", one(array.NewDayTimeIntervalBuilder(mem), func(b *array.DayTimeIntervalBuilder) {
			b.Append(arrow.DayTimeInterval{Days: 2, Milliseconds: 1})
		}), `"Text"`, `"2 days 00:00:00.001"`, "2 days 00:00:00.001"},
	}
}

func foreignNested(t testing.TB) []foreign {
	mem := memory.DefaultAllocator
	str, i64, i32 := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int32
	inner := arrow.StructOf(arrow.Field{Name: "d", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		arrow.Field{Name: "n", Type: i64, Nullable: true})
	enum := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: str}
	jsonType, err := extensions.NewJSONType(str)
	if err != nil {
		t.Fatal(err)
	}
	jsonArray := array.NewExtensionArrayWithStorage(jsonType, fromJSON(t, str, `["{\"a\": 1}", null]`))
	members := array.NewSparseUnionBuilder(mem,
		arrow.SparseUnionOf([]arrow.Field{{Name: "n", Type: i32}, {Name: "s", Type: str}}, []arrow.UnionTypeCode{0, 1}))
	members.Append(1)
	members.Child(0).AppendEmptyValue()
	members.Child(1).(*array.StringBuilder).Append("u")
	members.AppendNull()
	return []foreign{
		{"large string", fromJSON(t, arrow.BinaryTypes.LargeString, `["x", null]`), `"Text"`, `"x"`, "x"},
		{"string view", fromJSON(t, arrow.BinaryTypes.StringView, `["a longer string view", null]`), `"Text"`,
			`"a longer string view"`, "a longer string view"},
		{"large binary", fromJSON(t, arrow.BinaryTypes.LargeBinary, `["/w==", null]`), `"Bytes"`, "[255]", `\xff`},
		{"binary view", fromJSON(t, arrow.BinaryTypes.BinaryView, `["/w==", null]`), `"Bytes"`, "[255]", `\xff`},
		{"fixed binary", fromJSON(t, &arrow.FixedSizeBinaryType{ByteWidth: 2}, `["AAE=", null]`), `"Bytes"`, "[0,1]",
			`\x0001`},
		{"enum", fromJSON(t, enum, `["red", null]`), `"Text"`, `"red"`, "red"},
		{"list of bigint", fromJSON(t, arrow.ListOf(i64), `[[1, null, 3], null]`), `"Text"`, `["1",null,"3"]`,
			"[1,null,3]"},
		{"large list", fromJSON(t, arrow.LargeListOf(str), `[["a"], null]`), `"Text"`, `["a"]`, `["a"]`},
		{"fixed list", fromJSON(t, arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float64), `[[1, 2.5], null]`),
			`"Text"`, "[1.0,2.5]", "[1.0,2.5]"},
		{"list of lists", fromJSON(t, arrow.ListOf(arrow.ListOf(i32)), `[[[1], []], null]`), `"Text"`, "[[1],[]]",
			"[[1],[]]"},
		{"struct", fromJSON(t, inner, `[{"d": "2024-02-29", "n": 9223372036854775807}, null]`), `"Json"`,
			`"{\"d\":\"2024-02-29\",\"n\":\"9223372036854775807\"}"`, `{"d":"2024-02-29","n":9223372036854775807}`},
		{"list of structs", fromJSON(t, arrow.ListOf(inner), `[[{"d": null, "n": 1}], null]`), `"Text"`,
			`["{\"d\":null,\"n\":\"1\"}"]`, `[{"d":null,"n":1}]`},
		{"map", fromJSON(t, arrow.MapOf(i32, str), `[[{"key": 1, "value": "x\"y"}, {"key": 2, "value": null}], null]`),
			`"Json"`,
			`"{\"1\":\"x\\\"y\",\"2\":null}"`, `{"1":"x\"y","2":null}`},
		{"json", jsonArray, `"Json"`, `"{\"a\": 1}"`, `{"a": 1}`},
		{"union", members.NewArray(), `"Text"`, `"u"`, "u"},
		{"bool8", array.NewExtensionArrayWithStorage(extensions.NewBool8Type(),
			fromJSON(t, arrow.PrimitiveTypes.Int8, "[5, null]")), `"Boolean"`, "true", "true"},
	}
}

// TestForeignArrays checks that results of any type have a wire type, a cell and
// a value.
func TestForeignArrays(t *testing.T) {
	for _, f := range append(append(foreignNumbers(t), foreignTimes(t)...), foreignNested(t)...) {
		t.Run(f.name, func(t *testing.T) {
			field := arrow.Field{Name: "c", Type: f.array.DataType(), Nullable: true}
			wire, err := json.Marshal(datatype.TypeOfArrow(field))
			if err != nil || string(wire) != f.typ {
				t.Errorf("type %s, %v, want %s", wire, err, f.typ)
			}
			w := datatype.NewCellWriter(field)
			for i, want := range []string{f.cell, "null"} {
				if got := string(datatype.AppendCell(nil, f.array, i)); got != want {
					t.Errorf("cell %d is %s, want %s", i, got, want)
				}
				if got := string(w.Append(nil, f.array, i)); got != want {
					t.Errorf("written cell %d is %s, want %s", i, got, want)
				}
			}
			if got := datatype.Format(datatype.ValueAt(f.array, 0)); got != f.value {
				t.Errorf("value is %s, want %s", got, f.value)
			}
			if !datatype.ValueAt(f.array, 1).IsNull() {
				t.Error("NULL has a value")
			}
			last := array.NewSlice(f.array, 1, 2)
			if got := string(datatype.AppendCell(nil, last, 0)); got != "null" {
				t.Errorf("cell of a slice is %s", got)
			}
		})
	}
}

func TestNullArray(t *testing.T) {
	a := array.NewNull(1)
	if got := string(datatype.AppendCell(nil, a, 0)); got != "null" || !datatype.ValueAt(a, 0).IsNull() {
		t.Errorf("cell of NULL is %s", got)
	}
	if got := datatype.TypeOfArrow(arrow.Field{Type: arrow.Null}); got.Kind != kalam.KindText {
		t.Errorf("type of NULL is %s", got)
	}
}

// TestExtensionMetadata covers fields whose extension type the reader does not
// know.
func TestExtensionMetadata(t *testing.T) {
	for name, want := range map[string]kalam.Kind{"arrow.json": kalam.KindJSON, "arrow.uuid": kalam.KindUUID,
		"other": kalam.KindText} {
		f := arrow.Field{Type: arrow.BinaryTypes.String,
			Metadata: arrow.NewMetadata([]string{"ARROW:extension:name"}, []string{name})}
		if got := datatype.TypeOfArrow(f); got.Kind != want {
			t.Errorf("type of %s is %s, want %s", name, got, want)
		}
	}
}

// TestHugeInt: a HUGEINT is a BIGINT cell, whatever its values are (case A8).
func TestHugeInt(t *testing.T) {
	b := array.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 38})
	defer b.Release()
	b.Append(decimal128.FromI64(math.MinInt64))
	b.Append(decimal128.FromU64(math.MaxInt64 + 1))
	a := b.NewArray()
	f := datatype.HugeIntField(arrow.Field{Type: a.DataType()})
	if got := datatype.TypeOfArrow(f); got.Kind != kalam.KindBigInt {
		t.Errorf("a HUGEINT is %s", got)
	}
	for i, want := range []string{`"-9223372036854775808"`, `"9223372036854775808"`} {
		if got := string(datatype.AppendCell(nil, a, i)); got != want {
			t.Errorf("cell %s, want %s", got, want)
		}
	}
}

// TestValueAtCopies checks that a value outlives the array's memory.
func TestValueAtCopies(t *testing.T) {
	a := fromJSON(t, arrow.BinaryTypes.String, `["hello"]`).(*array.String)
	v := datatype.ValueAt(a, 0)
	copy(a.ValueBytes(), "XXXXX")
	if v.Str() != "hello" {
		t.Errorf("value changed to %s", v.Str())
	}
}
