package catalog

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// valueRecord is the stored form of a kalam.Value: the SQL name of its kind and
// its text. Text that is not UTF-8, and BYTES, are kept as hex.
type valueRecord struct {
	Kind  string `json:"kind"`
	Text  string `json:"text,omitempty"`
	Hex   string `json:"hex,omitempty"`
	Hi    int64  `json:"hi,omitempty"` // High half of a DECIMAL.
	Scale uint8  `json:"scale,omitempty"`
}

// recordOfValue returns the stored form of v.
func recordOfValue(v kalam.Value) valueRecord {
	r := valueRecord{Kind: v.Kind().String()}
	switch family := v.Kind().Family(); family {
	case kalam.FamilyNone:
	case kalam.FamilyBoolean:
		r.Text = strconv.FormatBool(v.Bool())
	case kalam.FamilyFloat:
		r.Text = strconv.FormatFloat(v.Float64(), 'g', -1, 64)
	case kalam.FamilyText, kalam.FamilyJSON, kalam.FamilyBytes:
		if family != kalam.FamilyBytes && utf8.ValidString(v.Str()) {
			r.Text = v.Str()
		} else {
			r.Hex = hex.EncodeToString([]byte(v.Str()))
		}
	case kalam.FamilyDecimal:
		hi, lo, scale := v.Decimal()
		r.Hi, r.Text, r.Scale = hi, strconv.FormatUint(lo, 10), scale
	case kalam.FamilyUUID:
		b := v.UUID()
		r.Hex = hex.EncodeToString(b[:])
	case kalam.FamilyInteger, kalam.FamilyInstant, kalam.FamilyDate, kalam.FamilyTime:
		r.Text = strconv.FormatInt(v.Int(), 10)
	}
	return r
}

// value reads what recordOfValue wrote.
func (r valueRecord) value() (kalam.Value, error) {
	kind, err := kindNamed(r.Kind)
	if err != nil {
		return kalam.Value{}, err
	}
	switch kind.Family() {
	case kalam.FamilyNone:
		return kalam.Null(), nil
	case kalam.FamilyBoolean:
		b, err := strconv.ParseBool(r.Text)
		return kalam.Bool(b), err
	case kalam.FamilyFloat:
		f, err := strconv.ParseFloat(r.Text, 64)
		if kind == kalam.KindFloat {
			return kalam.Float(float32(f)), err
		}
		return kalam.Double(f), err
	case kalam.FamilyText, kalam.FamilyJSON, kalam.FamilyBytes:
		return r.text(kind)
	case kalam.FamilyDecimal:
		lo, err := strconv.ParseUint(r.Text, 10, 64)
		return kalam.Decimal(r.Hi, lo, r.Scale), err
	case kalam.FamilyUUID:
		var b [16]byte
		if n, err := hex.Decode(b[:], []byte(r.Hex[:min(len(r.Hex), 32)])); err != nil || n != len(b) {
			return kalam.Value{}, fmt.Errorf("uuid %.64q is not 16 bytes of hex", r.Hex)
		}
		return kalam.UUID(b), nil
	case kalam.FamilyInteger, kalam.FamilyInstant, kalam.FamilyDate, kalam.FamilyTime:
		n, err := strconv.ParseInt(r.Text, 10, 64)
		return kalam.Integer(kind, n), err
	}
	return kalam.Value{}, fmt.Errorf("a value of kind %s has no stored form", kind)
}

func (r valueRecord) text(kind kalam.Kind) (kalam.Value, error) {
	s := r.Text
	if r.Hex != "" {
		b, err := hex.DecodeString(r.Hex)
		if err != nil {
			return kalam.Value{}, err
		}
		s = string(b)
	}
	return kalam.StringOf(kind, s), nil
}

func kindNamed(name string) (kalam.Kind, error) {
	if name == kalam.KindNull.String() {
		return kalam.KindNull, nil
	}
	for _, k := range kalam.Kinds() {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown kind %.32q", name)
}
