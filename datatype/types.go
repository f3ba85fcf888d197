package datatype

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

// caster makes a value of type t of v, a value of the family that it is listed for.
type caster func(t kalam.DataType, v kalam.Value) (kalam.Value, error)

// descriptor is everything that this package knows of one data type. There is one per
// kind, in a file of its own; a nil function means that the type has no such form.
// Adding a type is described in docs/development/add-a-data-type.md.
type descriptor struct {
	kind       kalam.Kind
	parametric bool // The kind alone does not tell the type: a DECIMAL may need a cast to another one.

	// DuckDB: its name of the type, "" when it is that of kalam, and of the type in which
	// files hold it, "" when it is the same; the literals of a cast that it reads itself;
	// whether conditions may name moments before or after all others.
	duck, duckStored string
	duckReads        func(v kalam.Value) bool
	boundless        bool

	min, max int64 // Range of the kinds whose Value is an Int.

	// parse is FromText, number reads a numeric literal; ok is false for a text that is no
	// number, or none that the type takes.
	parse  func(t kalam.DataType, s string) (kalam.Value, error)
	number func(t kalam.DataType, s string) (v kalam.Value, ok bool, err error)
	from   [kalam.Families]caster // Casts of other types, by their family.
	format func(dst []byte, v kalam.Value) []byte
	cell   func(dst []byte, v kalam.Value) []byte // JSON of the wire.

	// The row encoding: the size of the data after the tag, and the data. encode is needed
	// for other sizes than 1, 2, 4 and 8, whose data are the value's bits, and text. validate
	// refuses data of the right size that no value has.
	size     uint8
	encode   func(dst []byte, v kalam.Value) []byte
	decode   func(k kalam.Kind, data []byte) kalam.Value
	validate func(data []byte) error

	// The key encoding. readKey returns the number of bytes read, 0 for a damaged key.
	appendKey func(dst []byte, v kalam.Value) []byte
	readKey   func(t kalam.DataType, key []byte) (v kalam.Value, n int)

	// The Arrow type, the name of the canonical extension if it is one, and how a column of
	// it is filled.
	arrow     func(t kalam.DataType) arrow.DataType
	extension string
	column    func(b array.Builder) column

	// The Parquet column. stored tells whether a column of a file holds values of the type;
	// asked says that the table's column is of it, so that a file need not say it. widens
	// tells whether values stored as another type can be those of a column of this one,
	// which was widened since.
	parquet func(t kalam.DataType) ParquetColumn
	stored  func(c ParquetColumn, asked bool) (kalam.DataType, bool)
	widens  func(from *descriptor) bool
	// fromParquet returns the value that an integer of the column stands for, when that is
	// not the Int of the value.
	fromParquet func(t kalam.DataType, n int64) kalam.Value

	compare func(a, b kalam.Value) int
	// digits returns how many decimal digits before and after the point the values have.
	digits func(t kalam.DataType) (whole, scale int)
	// bound returns the name and the JSON value that manifest.json gives a bound of a range;
	// an empty name stands for a value without one.
	bound func(v kalam.Value) (tag string, value any)
}

// types is a table of constants, by kind; that of KindNull has no function but those of
// NULL itself.
var types [kalam.NumKinds]descriptor

// of returns the descriptor of k, that of NULL for a number that is no kind.
func of(k kalam.Kind) *descriptor {
	if int(k) >= len(types) {
		k = kalam.KindNull
	}
	return &types[k]
}

// nullType is the type of NULL, which no column has.
var nullType = descriptor{
	kind:   kalam.KindNull,
	parse:  func(t kalam.DataType, s string) (kalam.Value, error) { return kalam.Value{}, mismatchText(t, s) },
	format: func(dst []byte, _ kalam.Value) []byte { return append(dst, "NULL"...) },
	cell:   func(dst []byte, _ kalam.Value) []byte { return append(dst, "null"...) },
}

// Compare orders a and b, two values of one kind that are not NULL: -1, 0 or 1. NaN is
// equal to itself and above all numbers, false below true; text, JSON and BYTES are
// ordered by their bytes; DECIMALs must have one scale.
func Compare(k kalam.Kind) func(a, b kalam.Value) int { return of(k).compare }

// Digits returns how many decimal digits before and after the point the values of an
// exact type have at most; none for other types.
func Digits(t kalam.DataType) (whole, scale int) {
	if d := of(t.Kind); d.digits != nil {
		return d.digits(t)
	}
	return 0, 0
}

// Bound returns v as manifest.json writes a bound of a range: {"Int64":"42"}. The tag is
// the Arrow type, and numbers of 64 bits and more are strings. nil stands for what has no
// such form: NULL, NaN and infinities.
func Bound(v kalam.Value) any {
	if d := of(v.Kind()); d.bound != nil {
		if tag, value := d.bound(v); tag != "" {
			return map[string]any{tag: value}
		}
	}
	return nil
}

// column adds values to a builder.
type column interface {
	appendData(d []byte)       // The data of a stored cell of the column's type.
	appendValue(v kalam.Value) // A value of it that is not NULL.
}
