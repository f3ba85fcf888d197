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
	switch v.Kind() {
	case kalam.KindNull:
	case kalam.KindBoolean:
		r.Text = strconv.FormatBool(v.Bool())
	case kalam.KindFloat, kalam.KindDouble:
		r.Text = strconv.FormatFloat(v.Float64(), 'g', -1, 64)
	case kalam.KindText, kalam.KindJSON, kalam.KindBytes:
		if v.Kind() != kalam.KindBytes && utf8.ValidString(v.Str()) {
			r.Text = v.Str()
		} else {
			r.Hex = hex.EncodeToString([]byte(v.Str()))
		}
	case kalam.KindDecimal:
		hi, lo, scale := v.Decimal()
		r.Hi, r.Text, r.Scale = hi, strconv.FormatUint(lo, 10), scale
	case kalam.KindUUID:
		b := v.UUID()
		r.Hex = hex.EncodeToString(b[:])
	default:
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
	switch kind {
	case kalam.KindNull:
		return kalam.Null(), nil
	case kalam.KindBoolean:
		b, err := strconv.ParseBool(r.Text)
		return kalam.Bool(b), err
	case kalam.KindFloat:
		f, err := strconv.ParseFloat(r.Text, 64)
		return kalam.Float(float32(f)), err
	case kalam.KindDouble:
		f, err := strconv.ParseFloat(r.Text, 64)
		return kalam.Double(f), err
	case kalam.KindText, kalam.KindJSON, kalam.KindBytes:
		return r.text(kind)
	case kalam.KindDecimal:
		lo, err := strconv.ParseUint(r.Text, 10, 64)
		return kalam.Decimal(r.Hi, lo, r.Scale), err
	case kalam.KindUUID:
		var b [16]byte
		if n, err := hex.Decode(b[:], []byte(r.Hex[:min(len(r.Hex), 32)])); err != nil || n != len(b) {
			return kalam.Value{}, fmt.Errorf("uuid %.64q is not 16 bytes of hex", r.Hex)
		}
		return kalam.UUID(b), nil
	}
	n, err := strconv.ParseInt(r.Text, 10, 64)
	return kalam.Integer(kind, n), err
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
	switch kind {
	case kalam.KindJSON:
		return kalam.JSON(s), nil
	case kalam.KindBytes:
		return kalam.Bytes(s), nil
	}
	return kalam.Text(s), nil
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
