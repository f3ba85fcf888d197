package kalam

import (
	"encoding/json"
	"fmt"
)

// Kind is the kind of a data type and the tag of a Value. The numbers are the
// tag bytes of the row encoding (docs/architecture/row-format.md) and must
// never change.
type Kind uint8

// The kinds. KindNull is the kind of the NULL value, not of a column.
const (
	KindNull      Kind = 0x00
	KindBoolean   Kind = 0x01
	KindInt       Kind = 0x02
	KindBigInt    Kind = 0x03
	KindDouble    Kind = 0x04
	KindText      Kind = 0x05
	KindTimestamp Kind = 0x06
	KindDate      Kind = 0x07
	KindTime      Kind = 0x08
	KindJSON      Kind = 0x09
	KindBytes     Kind = 0x0A
	KindSmallInt  Kind = 0x0B
	KindFloat     Kind = 0x0C
	KindDecimal   Kind = 0x0D
	KindUUID      Kind = 0x0E
	KindDateTime  Kind = 0x0F
)

// Kinds lists every kind of column in the order of the documentation.
var kinds = [...]Kind{
	KindBoolean, KindSmallInt, KindInt, KindBigInt, KindFloat, KindDouble, KindDecimal, KindText,
	KindTimestamp, KindDateTime, KindDate, KindTime, KindJSON, KindBytes, KindUUID,
}

// Kinds returns every kind a column can have, in the order of the documentation.
func Kinds() []Kind { return append([]Kind(nil), kinds[:]...) }

type kindName struct{ sql, wire string }

var kindNames = map[Kind]kindName{
	KindBoolean: {"BOOLEAN", "Boolean"}, KindSmallInt: {"SMALLINT", "SmallInt"}, KindInt: {"INT", "Int"},
	KindBigInt: {"BIGINT", "BigInt"}, KindFloat: {"FLOAT", "Float"}, KindDouble: {"DOUBLE", "Double"},
	KindDecimal: {"DECIMAL", "Decimal"}, KindText: {"TEXT", "Text"}, KindTimestamp: {"TIMESTAMP", "Timestamp"},
	KindDateTime: {"DATETIME", "DateTime"}, KindDate: {"DATE", "Date"}, KindTime: {"TIME", "Time"},
	KindJSON: {"JSON", "Json"}, KindBytes: {"BYTES", "Bytes"}, KindUUID: {"UUID", "Uuid"},
}

// String returns the SQL name of k, "NULL" for KindNull.
func (k Kind) String() string {
	if n, ok := kindNames[k]; ok {
		return n.sql
	}
	if k == KindNull {
		return "NULL"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MaxDecimalPrecision is the largest precision of DECIMAL(p,s).
const MaxDecimalPrecision = 38

// DataType is the type of a column or result field. Precision and Scale are
// zero except for DECIMAL. It is comparable.
type DataType struct {
	Kind      Kind
	Precision uint8
	Scale     uint8
}

// TypeOf returns the type of a kind without parameters; DECIMAL is DECIMAL(38,10).
func TypeOf(k Kind) DataType {
	if k == KindDecimal {
		return DataType{Kind: k, Precision: MaxDecimalPrecision, Scale: 10}
	}
	return DataType{Kind: k}
}

// String returns the SQL spelling, for instance "DECIMAL(10,2)".
func (t DataType) String() string {
	if t.Kind == KindDecimal {
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	}
	return t.Kind.String()
}

type wireDecimal struct {
	Precision uint8 `json:"precision"`
	Scale     uint8 `json:"scale"`
}

// MarshalJSON returns the wire spelling: "BigInt", or
// {"Decimal":{"precision":10,"scale":2}}.
func (t DataType) MarshalJSON() ([]byte, error) {
	if t.Kind == KindDecimal {
		return json.Marshal(map[string]wireDecimal{"Decimal": {t.Precision, t.Scale}})
	}
	n, ok := kindNames[t.Kind]
	if !ok {
		return nil, fmt.Errorf("data type %s has no wire name", t.Kind)
	}
	return json.Marshal(n.wire)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *DataType) UnmarshalJSON(b []byte) error {
	var name string
	if json.Unmarshal(b, &name) == nil {
		for k, n := range kindNames {
			if n.wire == name && k != KindDecimal {
				*t = DataType{Kind: k}
				return nil
			}
		}
		return fmt.Errorf("unknown data type %q", name)
	}
	var d struct{ Decimal *wireDecimal }
	if err := json.Unmarshal(b, &d); err != nil || d.Decimal == nil {
		return fmt.Errorf("unknown data type %.64s", b)
	}
	*t = DataType{Kind: KindDecimal, Precision: d.Decimal.Precision, Scale: d.Decimal.Scale}
	return nil
}
