package guard

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/sqltext"
)

// ownKind is the field of a placeholder of ours that holds its ArgKind until it
// has a number.
const ownKind = "kalam_kind"

// operandMark is the field of a placeholder that stands for an operand: its index.
const operandMark = "kalam_operand"

// ConstantOf returns the value of a literal, of those that have one of our types.
func ConstantOf(n tree.Node) (kalam.Value, error) {
	v := tree.Child(n, "value")
	typ := tree.Child(v, "type")
	if null, _ := v["is_null"].(bool); null {
		return kalam.Null(), nil
	}
	num, _ := v["value"].(json.Number)
	switch id := tree.Str(typ, "id"); id {
	case "VARCHAR":
		s, _ := v["value"].(string)
		return kalam.Text(s), nil
	case "BOOLEAN":
		b, _ := v["value"].(bool)
		return kalam.Bool(b), nil
	case "INTEGER", "BIGINT":
		i, err := num.Int64()
		if err != nil {
			return kalam.Value{}, fmt.Errorf("the number %s", num)
		}
		return kalam.BigInt(i), nil
	case "DOUBLE":
		d, err := num.Float64()
		if err != nil {
			return kalam.Value{}, fmt.Errorf("the number %s", num)
		}
		return kalam.Double(d), nil
	case "DECIMAL":
		return decimalConstant(v, tree.Child(typ, "type_info"))
	default:
		return kalam.Value{}, fmt.Errorf("a literal of type %s", id)
	}
}

// decimalConstant reads a literal with a point. Up to 18 digits it is one number,
// beyond that two halves.
func decimalConstant(v, info tree.Node) (kalam.Value, error) {
	scaleNum, _ := info["scale"].(json.Number)
	scale := uint64(0)
	if scaleNum != "" {
		var err error
		if scale, err = strconv.ParseUint(scaleNum.String(), 10, 8); err != nil {
			return kalam.Value{}, fmt.Errorf("a DECIMAL with scale %s", scaleNum)
		}
	}
	if num, ok := v["value"].(json.Number); ok {
		i, err := num.Int64()
		if err != nil {
			return kalam.Value{}, fmt.Errorf("the number %s", num)
		}
		return kalam.Decimal(i>>63, uint64(i), uint8(scale)), nil
	}
	halves := tree.Child(v, "value")
	upper, _ := halves["upper"].(json.Number)
	lower, _ := halves["lower"].(json.Number)
	hi, errHi := upper.Int64()
	lo, errLo := strconv.ParseUint(lower.String(), 10, 64)
	if errHi != nil || errLo != nil {
		return kalam.Value{}, fmt.Errorf("a DECIMAL that is not a number")
	}
	return kalam.Decimal(hi, lo, uint8(scale)), nil
}

// CastConstant returns the value of a cast of a literal to one of our types: TRUE, FALSE
// and typed literals such as DATE '2025-01-31' are such casts. ok is false for any other.
func CastConstant(n tree.Node) (v kalam.Value, ok bool, err error) {
	x, t := tree.Child(n, "child"), castType(n)
	if try, _ := n["try_cast"].(bool); try || !isOperand(x) || tree.Str(x, "class") != "CONSTANT" {
		return v, false, nil
	}
	o := operandOf(x)
	if t.Kind == kalam.KindBoolean && (o.Text == "'t'" || o.Text == "'f'") {
		return kalam.Bool(o.Text == "'t'"), true, nil
	}
	if t.Kind == kalam.KindNull || t.Kind == kalam.KindDecimal { // A constant does not keep the digits of its type.
		return v, false, nil
	}
	return datatype.CastLiteral(t, o.Value)
}

// castType returns the type of ours that a CAST names, KindNull for any other.
func castType(n tree.Node) kalam.DataType {
	typ := tree.Child(n, "cast_type")
	info := tree.Child(typ, "type_info")
	switch id := tree.Str(typ, "id"); id {
	case "DECIMAL":
		width, errWidth := strconv.ParseUint(fmt.Sprint(info["width"]), 10, 8)
		scale, errScale := strconv.ParseUint(fmt.Sprint(info["scale"]), 10, 8)
		if info["scale"] == nil {
			scale, errScale = 0, nil
		}
		if errWidth == nil && errScale == nil {
			return kalam.DataType{Kind: kalam.KindDecimal, Precision: uint8(width), Scale: uint8(scale)}
		}
	default:
		return datatype.OfDuckName(id)
	}
	return kalam.DataType{}
}

// isOperand reports whether n is a literal or a placeholder of the user's.
func isOperand(n tree.Node) bool {
	if constant, ok := n[constantMark].(tree.Node); ok {
		n = constant
	}
	switch tree.Str(n, "class") {
	case "CONSTANT":
		v, err := ConstantOf(n)
		return err == nil && v.Kind() != kalam.KindBoolean
	case "PARAMETER":
		return n[ownKind] == nil && n[operandMark] == nil
	}
	return false
}

// operandOf reads an operand.
func operandOf(n tree.Node) Operand {
	if tree.Str(n, "class") == "PARAMETER" {
		number, _ := strconv.Atoi(tree.Str(n, "identifier")) // placeholder has checked it.
		return Operand{Param: number}
	}
	constant, exact := n[constantMark].(tree.Node)
	if !exact {
		constant = n
	}
	v, _ := ConstantOf(constant) // isOperand has seen that it is one.
	o := Operand{Value: v}
	switch {
	case v.Kind() == kalam.KindText:
		o.Text = sqltext.QuoteString(v.Str())
	case exact:
		text, _ := tree.Text(tree.Child(n, "child"))
		o.Text = "CAST(" + sqltext.QuoteString(text) + " AS " + castName(n) + ")"
	default:
		o.Text = datatype.Format(v)
	}
	return o
}

// castName returns the type that the cast of a number constant names.
func castName(n tree.Node) string {
	if t := castType(n); t.Kind == kalam.KindDecimal {
		return t.String()
	}
	return "DOUBLE"
}
