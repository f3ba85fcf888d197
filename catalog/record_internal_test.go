package catalog

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
)

// drawValue draws a value of any kind.
func drawValue(t *rapid.T) kalam.Value {
	k := rapid.SampledFrom(append(kalam.Kinds(), kalam.KindNull)).Draw(t, "kind")
	text := func() string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) }
	switch k {
	case kalam.KindNull:
		return kalam.Null()
	case kalam.KindBoolean:
		return kalam.Bool(rapid.Bool().Draw(t, "bool"))
	case kalam.KindFloat:
		return kalam.Float(rapid.Float32().Draw(t, "float"))
	case kalam.KindDouble:
		return kalam.Double(rapid.Float64().Draw(t, "double"))
	case kalam.KindText:
		return kalam.Text(text())
	case kalam.KindJSON:
		return kalam.JSON(text())
	case kalam.KindBytes:
		return kalam.Bytes(text())
	case kalam.KindDecimal:
		return kalam.Decimal(rapid.Int64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo"),
			rapid.Uint8Range(0, 38).Draw(t, "scale"))
	case kalam.KindUUID:
		return kalam.UUID([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")))
	}
	return kalam.Integer(k, rapid.Int64().Draw(t, "int"))
}

// TestValueRecord checks that every value comes back as it was stored.
func TestValueRecord(t *testing.T) {
	check := func(tb rapid.TB, v kalam.Value) {
		raw, err := json.Marshal(recordOfValue(v))
		if err != nil {
			tb.Fatalf("%v: %v", v, err)
		}
		var r valueRecord
		if err := json.Unmarshal(raw, &r); err != nil {
			tb.Fatalf("%s: %v", raw, err)
		}
		if got, err := r.value(); err != nil || got != v {
			tb.Fatalf("%s: %v, %v, want %v", raw, got, err, v)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, drawValue(t)) })
	for _, v := range []kalam.Value{
		kalam.Double(math.Inf(1)), kalam.Double(math.Inf(-1)), kalam.Double(math.Copysign(0, -1)),
		kalam.Float(float32(math.Inf(1))),
		kalam.Double(math.SmallestNonzeroFloat64), kalam.Float(math.SmallestNonzeroFloat32), kalam.Double(math.NaN()),
		kalam.Text(""), kalam.Bytes(""),
	} {
		check(t, v)
	}
}

// FuzzDecodeRecord checks that no bytes make it panic, and that what it accepts
// it would have written so.
func FuzzDecodeRecord(f *testing.F) {
	good, err := encodeRecord("user/x", userRecord{ID: "x", Role: "user"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("user/x", good)
	f.Add("user/x", []byte("kalam 1 00000000\n{}"))
	f.Add("", []byte(nil))
	f.Fuzz(func(t *testing.T, key string, raw []byte) {
		var r userRecord
		err := decodeRecord(key, raw, &r)
		if err == nil && !bytes.HasPrefix(raw, []byte(recordMagic)) {
			t.Errorf("accepted %q", raw)
		}
		if code := kalam.CodeOf(err); err != nil && code != kalam.CodeCorrupt && code != kalam.CodeUnsupported {
			t.Errorf("code %d: %v", code, err)
		}
	})
}
