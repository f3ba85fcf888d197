package datatype_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// FuzzDecodeRow feeds any bytes: they are either exactly what EncodeRow writes,
// or CodeCorrupt, and the batch builder agrees.
func FuzzDecodeRow(f *testing.F) {
	ss := samples(f)[:64]
	table, vals := wideTable(ss)
	f.Add(datatype.EncodeRow(nil, table, vals))
	f.Add(datatype.EncodeRow(nil, table, make([]kalam.Value, len(vals))))
	for i, s := range ss {
		if len(s.text) < 100 {
			row := make([]kalam.Value, len(vals))
			row[i] = s.v
			f.Add(datatype.EncodeRow(nil, table, row))
		}
	}
	f.Add([]byte{0xF1, 0})
	f.Add([]byte{0xF1, 1, 1, 0x01, 7})
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := datatype.DecodeRow(table, payload, nil)
		b := datatype.NewBatchBuilder(nil, table)
		defer b.Release()
		batchErr := b.Append(kalam.Row{Payload: payload})
		if kalam.CodeOf(err) != kalam.CodeOf(batchErr) || (err == nil) != (batchErr == nil) {
			t.Fatalf("DecodeRow says %v, Append %v", err, batchErr)
		}
		if err != nil {
			if kalam.CodeOf(err) != kalam.CodeCorrupt {
				t.Fatal(err)
			}
			return
		}
		rec := b.NewBatch()
		defer rec.Release()
		for i, v := range got {
			if cell := datatype.ValueAt(rec.Column(i), 0); cell != v && ss[i].t.Kind != kalam.KindJSON {
				t.Fatalf("column %d: DecodeRow %q, batch %q", i, datatype.Format(v), datatype.Format(cell))
			}
		}
		again, err := datatype.DecodeRow(table, datatype.EncodeRow(nil, table, got), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != again[i] {
				t.Fatalf("column %d changes when encoded again", i)
			}
		}
	})
}

// TestDamage flips every bit of a row and cuts and extends it: nothing panics,
// and what is still accepted is a well-formed row.
func TestDamage(t *testing.T) {
	table, vals := wideTable(samples(t)[:30])
	good := datatype.EncodeRow(nil, table, vals)
	var dst []kalam.Value
	for i := range good {
		for bit := range 8 {
			p := bytes.Clone(good)
			p[i] ^= 1 << bit
			if _, err := datatype.DecodeRow(table, p, dst); err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
		}
		if _, err := datatype.DecodeRow(table, good[:i], dst); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	for _, p := range [][]byte{
		append(bytes.Clone(good), 0),
		{0xF2, 0},
		{0xF1},
		{0xF1, 0x80, 0x00},          // number not in its shortest form
		{0xF1, 1, 0, 0xFF},          // column id 0
		{0xF1, 2, 1, 0xFF, 1, 0xFF}, // same column twice
		{0xF1, 1, 1, 0x10},          // unknown tag
		{0xF1, 1, 1, 0xEF},          // tag used in memory only
		{0xF1, 1, 1, 0x01, 2},       // impossible BOOLEAN
		{0xF1, 1, 7, 0x05, 0xFF, 0xFF, 0xFF, 0xFF}, // text beyond the end
		{0xF1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01},
	} {
		if _, err := datatype.DecodeRow(table, p, dst); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("% x: %v", p, err)
		}
	}
}

// FuzzDecimal compares parsing and casting with math/big.
func FuzzDecimal(f *testing.F) {
	f.Add("-123.456e2", uint8(10), uint8(2))
	f.Add("99999999999999999999999999999999999999", uint8(38), uint8(0))
	f.Add("0.5", uint8(1), uint8(0))
	f.Fuzz(func(t *testing.T, s string, p, scale uint8) {
		p = p%38 + 1
		scale %= p + 1
		typ := kalam.DataType{Kind: kalam.KindDecimal, Precision: p, Scale: scale}
		v, err := datatype.FromNumber(typ, s)
		if e := strings.IndexAny(s, "eE"); len(s) > 80 || e >= 0 && len(s)-e > 4 {
			return // too large for the reference
		}
		want, ok := bigDecimal(s, p, scale)
		if (err == nil) != ok {
			t.Fatalf("FromNumber(%s, %q): %v, want ok=%v", typ, s, err, ok)
		}
		if err == nil && datatype.Format(v) != want {
			t.Fatalf("FromNumber(%s, %q) = %s, want %s", typ, s, datatype.Format(v), want)
		}
		if err == nil && v.DecimalText() != want {
			t.Fatalf("DecimalText = %s, want %s", v.DecimalText(), want)
		}
	})
}

// bigDecimal is an independent DECIMAL(p,scale) reader.
func bigDecimal(s string, p, scale uint8) (string, bool) {
	digits := false
	for _, c := range s {
		if c >= '0' && c <= '9' {
			digits = true
		} else if !strings.ContainsRune(".-+eE", c) {
			return "", false
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || !digits {
		return "", false
	}
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p)), nil)
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	neg := r.Sign() < 0
	r.Abs(r).Add(r, big.NewRat(1, 2))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if n.Cmp(limit) >= 0 {
		return "", false
	}
	text := n.String()
	for len(text) <= int(scale) {
		text = "0" + text
	}
	if scale > 0 {
		text = text[:len(text)-int(scale)] + "." + text[len(text)-int(scale):]
	}
	if neg && n.Sign() != 0 {
		text = "-" + text
	}
	return text, true
}

// FuzzFromText tries every kind: no panic, and what is accepted reads back from
// its own text.
func FuzzFromText(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.text)
	}
	f.Add("2024-01-01T00:00:00+01:00")
	f.Fuzz(func(t *testing.T, s string) {
		for _, k := range kalam.Kinds() {
			typ := kalam.TypeOf(k)
			v, err := datatype.FromText(typ, s)
			if err != nil {
				if kalam.CodeOf(err) != kalam.CodeConstraint || !utf8.ValidString(err.Error()) {
					t.Fatalf("%s %q: %v", k, s, err)
				}
				continue
			}
			again, err := datatype.FromText(typ, datatype.Format(v))
			if err != nil || again != v {
				t.Fatalf("%s %q: text %q reads back as %v, %v", k, s, datatype.Format(v), again, err)
			}
			if cell := datatype.AppendValue(nil, v); !json.Valid(cell) {
				t.Fatalf("%s %q: cell %s is not JSON", k, s, cell)
			}
		}
	})
}

// FuzzJSONString checks that any bytes give a JSON string that reads back.
func FuzzJSONString(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\x1f\"\\\u2028é\xff\xf0\x9f")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(datatype.AppendJSONString(nil, s), &got); err != nil {
			t.Fatal(err)
		}
		var want string
		for _, r := range s {
			want += string(r)
		}
		if got != want {
			t.Errorf("%q reads back as %q", s, got)
		}
	})
}
