package datatype_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// runs builds a run-end encoded array of the values of inner, each n times.
func runs(inner arrow.Array, n int32) arrow.Array {
	ends := array.NewInt32Builder(memory.DefaultAllocator)
	for i := range inner.Len() {
		ends.Append(int32(i+1) * n)
	}
	a := ends.NewArray()
	return array.NewRunEndEncodedArray(a, inner, inner.Len()*int(n), 0)
}

// denseUnion builds a union of an INT and a text.
func denseUnion() arrow.Array {
	fields := []arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}
	b := array.NewDenseUnionBuilder(memory.DefaultAllocator, arrow.DenseUnionOf(fields, []arrow.UnionTypeCode{0, 1}))
	b.Append(1)
	b.Child(1).(*array.StringBuilder).Append("first")
	b.Append(0)
	b.Child(0).(*array.Int32Builder).Append(7)
	return b.NewArray()
}

// TestEncodedArrays covers arrays whose values lie elsewhere.
func TestEncodedArrays(t *testing.T) {
	re := runs(fromJSON(t, arrow.PrimitiveTypes.Int64, `[5, 6]`), 2)
	union := denseUnion()
	for _, c := range []struct {
		name   string
		a      arrow.Array
		i      int
		cell   string
		value  string
		isType kalam.Kind
	}{
		{"run 1", re, 1, `"5"`, "5", kalam.KindBigInt},
		{"run 2", re, 2, `"6"`, "6", kalam.KindBigInt},
		{"dense union text", union, 0, `"first"`, "first", kalam.KindText},
		{"dense union number", union, 1, "7", "7", kalam.KindText},
		{"uint64", fromJSON(t, arrow.PrimitiveTypes.Uint64, `[5]`), 0, `"5"`, "5", kalam.KindBigInt},
		{"seconds before the calendar", fromJSON(t, arrow.FixedWidthTypes.Timestamp_s, `[-9223372036854775808]`), 0,
			"-9223372036854775808", "-290308-12-21 19:59:05.224192+00", kalam.KindDateTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(datatype.AppendCell(nil, c.a, c.i)); got != c.cell {
				t.Errorf("cell %s, want %s", got, c.cell)
			}
			if got := datatype.Format(datatype.ValueAt(c.a, c.i)); got != c.value {
				t.Errorf("value %s, want %s", got, c.value)
			}
			if got := datatype.TypeOfArrow(arrow.Field{Type: c.a.DataType()}); got.Kind != c.isType {
				t.Errorf("type %s, want %s", got, c.isType)
			}
		})
	}
}

// structOf builds a struct with one field of one value.
func structOf(t *testing.T, a arrow.Array) arrow.Array {
	t.Helper()
	s, err := array.NewStructArray([]arrow.Array{a}, []string{"f"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDocuments checks what stands inside the JSON of a STRUCT.
func TestDocuments(t *testing.T) {
	str := arrow.BinaryTypes.String
	jsonType, err := extensions.NewJSONType(str)
	if err != nil {
		t.Fatal(err)
	}
	enum := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: str}
	for _, c := range []struct {
		name string
		a    arrow.Array
		want string
	}{
		{"json", array.NewExtensionArrayWithStorage(jsonType, fromJSON(t, str, `["{\"a\": [1]}"]`)),
			`{"f":{"a": [1]}}`},
		{"broken json", array.NewExtensionArrayWithStorage(jsonType, fromJSON(t, str, `["{"]`)), `{"f":"{"}`},
		{"enum", fromJSON(t, enum, `["red"]`), `{"f":"red"}`},
		{"runs", runs(fromJSON(t, arrow.FixedWidthTypes.Boolean, `[true]`), 1), `{"f":true}`},
		{"union", array.NewSlice(denseUnion(), 1, 2), `{"f":7}`},
		{"bytes", fromJSON(t, arrow.BinaryTypes.Binary, `["/w=="]`), `{"f":"\\xff"}`},
		{"time", fromJSON(t, arrow.FixedWidthTypes.Time64us, `["12:34:56"]`), `{"f":"12:34:56"}`},
		{"list", fromJSON(t, arrow.ListOf(str), `[["a\n", null]]`), `{"f":["a\n",null]}`},
		{"double", fromJSON(t, arrow.PrimitiveTypes.Float64, `[1]`), `{"f":1.0}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := datatype.ValueAt(structOf(t, c.a), 0)
			if v.Kind() != kalam.KindJSON || v.Str() != c.want {
				t.Errorf("got %s %s, want %s", v.Kind(), v.Str(), c.want)
			}
			if err := datatype.CheckJSON(v.Str()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestJSONEscapes(t *testing.T) {
	if got, want := string(datatype.AppendJSONString(nil, "\"\\\n\r\t\b\f\x01\x1f/é")),
		`"\"\\\n\r\t\b\f\u0001\u001f/é"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNumbersInDocuments: numbers that JavaScript would round are strings inside the cell
// of a STRUCT, MAP or list as they are in a cell, and numbers in what is stored (case A8).
func TestNumbersInDocuments(t *testing.T) {
	for _, c := range []struct {
		a            arrow.Array
		cell, stored string
	}{
		{fromJSON(t, arrow.PrimitiveTypes.Int64, `[9007199254740993]`), `"9007199254740993"`, `9007199254740993`},
		{fromJSON(t, arrow.PrimitiveTypes.Uint64, `[18446744073709551615]`), `"18446744073709551615"`,
			`18446744073709551615`},
		{fromJSON(t, &arrow.Decimal128Type{Precision: 20, Scale: 2}, `["123456789012345678.90"]`),
			`"123456789012345678.90"`, `123456789012345678.90`},
		{fromJSON(t, arrow.PrimitiveTypes.Int32, `[7]`), `7`, `7`},
		{fromJSON(t, arrow.PrimitiveTypes.Float32, `[0.1]`), `0.1`, `0.1`},
		{fromJSON(t, arrow.ListOf(arrow.PrimitiveTypes.Int64), `[[1]]`), `["1"]`, `[1]`},
		{fromJSON(t, arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), `[[{"key": "k", "value": 1}]]`),
			`{"k":"1"}`, `{"k":1}`},
	} {
		s := structOf(t, c.a)
		cell := string(datatype.AppendJSONString(nil, `{"f":`+c.cell+`}`))
		if got := string(datatype.AppendCell(nil, s, 0)); got != cell {
			t.Errorf("cell %s, want %s", got, cell)
		}
		if got := datatype.ValueAt(s, 0).Str(); got != `{"f":`+c.stored+`}` {
			t.Errorf("stored %s, want %s", got, c.stored)
		}
	}
}

// TestJSONInDocuments: JSON inside a STRUCT is part of its document.
func TestJSONInDocuments(t *testing.T) {
	f := datatype.JSONField(arrow.Field{Name: "j", Type: arrow.BinaryTypes.String, Nullable: true})
	a := fromJSON(t, arrow.StructOf(f, arrow.Field{Name: "l", Type: arrow.ListOfField(f)}),
		`[{"j": "{\"a\":1}", "l": ["[2]", null]}]`)
	if got, want := datatype.ValueAt(a, 0).Str(), `{"j":{"a":1},"l":[[2],null]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
