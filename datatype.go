package kalam

import (
	"encoding/json"
	"fmt"
)

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
	if !t.Kind.IsColumn() {
		return nil, fmt.Errorf("data type %s has no wire name", t.Kind)
	}
	return json.Marshal(t.Kind.info().wire)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *DataType) UnmarshalJSON(b []byte) error {
	var name string
	if json.Unmarshal(b, &name) == nil {
		for _, k := range kinds {
			if k.info().wire == name && k != KindDecimal {
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
