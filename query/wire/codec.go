package wire

import (
	"encoding/binary"
	"math"

	"github.com/kalamlake/kalam"
)

// Buffer is a payload that is written.
type Buffer struct{ B []byte }

// Uint appends a number.
func (b *Buffer) Uint(n uint64) { b.B = binary.AppendUvarint(b.B, n) }

// Bool appends a flag.
func (b *Buffer) Bool(v bool) {
	if v {
		b.B = append(b.B, 1)
		return
	}
	b.B = append(b.B, 0)
}

// Text appends a text.
func (b *Buffer) Text(s string) {
	b.Uint(uint64(len(s)))
	b.B = append(b.B, s...)
}

// Bytes appends bytes.
func (b *Buffer) Bytes(p []byte) {
	b.Uint(uint64(len(p)))
	b.B = append(b.B, p...)
}

// Texts appends a list.
func (b *Buffer) Texts(list []string) {
	b.Uint(uint64(len(list)))
	for _, s := range list {
		b.Text(s)
	}
}

// Value appends a value.
func (b *Buffer) Value(v kalam.Value) {
	b.B = append(b.B, byte(v.Kind()))
	switch v.Kind() {
	case kalam.KindNull:
	case kalam.KindText, kalam.KindJSON, kalam.KindBytes:
		b.Text(v.Str())
	case kalam.KindUUID:
		u := v.UUID()
		b.B = append(b.B, u[:]...)
	case kalam.KindDecimal:
		hi, lo, scale := v.Decimal()
		b.B = binary.LittleEndian.AppendUint64(b.B, uint64(hi))
		b.B = binary.LittleEndian.AppendUint64(b.B, lo)
		b.B = append(b.B, scale)
	case kalam.KindFloat, kalam.KindDouble:
		b.B = binary.LittleEndian.AppendUint64(b.B, math.Float64bits(v.Float64()))
	default:
		b.B = binary.LittleEndian.AppendUint64(b.B, uint64(v.Int()))
	}
}

// Type appends a data type.
func (b *Buffer) Type(t kalam.DataType) { b.B = append(b.B, byte(t.Kind), t.Precision, t.Scale) }

// Reader reads a payload. After an error it gives zeros.
type Reader struct {
	b   []byte
	bad bool
}

// NewReader returns a Reader of a payload, which what it gives does not refer to.
func NewReader(p []byte) *Reader { return &Reader{b: p} }

// Err returns an error if the payload was not what was read from it.
func (r *Reader) Err() error {
	if r.bad {
		return kalam.Errorf(kalam.CodeInternal, "a message between server and query worker is damaged")
	}
	return nil
}

// Rest returns what was not read; it refers to the payload.
func (r *Reader) Rest() []byte { return r.b }

func (r *Reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.take(uint64(size))
	return n
}

// Count reads the length of a list whose elements take at least one byte.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

// Bool reads a flag.
func (r *Reader) Bool() bool { return r.Byte() != 0 }

// Text reads a text.
func (r *Reader) Text() string { return string(r.take(r.Uint())) }

// Bytes reads bytes.
func (r *Reader) Bytes() []byte { return append([]byte(nil), r.take(r.Uint())...) }

// Texts reads a list.
func (r *Reader) Texts() []string {
	out := make([]string, r.Count())
	for i := range out {
		out[i] = r.Text()
	}
	return out
}

func (r *Reader) fixed() uint64 {
	if p := r.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// Value reads a value.
func (r *Reader) Value() kalam.Value {
	switch k := kalam.Kind(r.Byte()); k {
	case kalam.KindNull:
		return kalam.Null()
	case kalam.KindText:
		return kalam.Text(r.Text())
	case kalam.KindJSON:
		return kalam.JSON(r.Text())
	case kalam.KindBytes:
		return kalam.Bytes(r.Text())
	case kalam.KindUUID:
		var u [16]byte
		copy(u[:], r.take(16))
		return kalam.UUID(u)
	case kalam.KindDecimal:
		hi, lo := r.fixed(), r.fixed()
		return kalam.Decimal(int64(hi), lo, r.Byte())
	case kalam.KindFloat:
		return kalam.Float(float32(math.Float64frombits(r.fixed())))
	case kalam.KindDouble:
		return kalam.Double(math.Float64frombits(r.fixed()))
	case kalam.KindBoolean:
		return kalam.Bool(r.fixed() != 0)
	default:
		return kalam.Integer(k, int64(r.fixed()))
	}
}

// Type reads a data type.
func (r *Reader) Type() kalam.DataType {
	return kalam.DataType{Kind: kalam.Kind(r.Byte()), Precision: r.Byte(), Scale: r.Byte()}
}
