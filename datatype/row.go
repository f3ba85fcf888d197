package datatype

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/kalamlake/kalam"
)

// rowVersion is the first byte of every row: the version of the encoding. 0xF0
// to 0xFE are reserved for versions, so no version looks like a tag.
const rowVersion = 0xF1

// tagNull is the tag of NULL. The tags of values are their kinds.
const tagNull = 0xFF

// Sizes of the data after a tag that are not a number of bytes.
const (
	sizePrefixed = 0xFE // 4 bytes of length, then that many bytes
	sizeInvalid  = 0xFF // not a tag
)

// tagSizes holds the size of the data after each tag.
var tagSizes [256]uint8

// EncodeRow appends the row encoding of vals, the values of t.Columns in order
// and of their types, to dst and returns it. It allocates only when dst grows.
// The same values always give the same bytes. The ids of t.Columns must rise,
// as they do in creation order.
func EncodeRow(dst []byte, t *kalam.Table, vals []kalam.Value) []byte {
	dst = append(dst, rowVersion)
	dst = binary.AppendUvarint(dst, uint64(len(t.Columns)))
	for i := range t.Columns {
		dst = binary.AppendUvarint(dst, uint64(t.Columns[i].ID))
		dst = appendTagged(dst, vals[i])
	}
	return dst
}

// appendTagged appends the tag and the data of v.
func appendTagged(dst []byte, v kalam.Value) []byte {
	k := v.Kind()
	if k == kalam.KindNull {
		return append(dst, tagNull)
	}
	dst = append(dst, byte(k))
	switch size := tagSizes[k]; size {
	case 1:
		return append(dst, byte(v.Bits()))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(v.Bits()))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v.Bits()))
	case 8:
		return binary.LittleEndian.AppendUint64(dst, v.Bits())
	case sizePrefixed:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v.Str())))
		return append(dst, v.Str()...)
	}
	return of(k).encode(dst, v)
}

// DecodeRow decodes payload into dst, reusing its memory, and returns one value
// per column of t. A column that payload does not have gets what the column says of
// older rows, Missing; columns of payload that t does not have are skipped; a value stored
// before a change of the column's type is cast. Text values share the memory of
// payload, which must not change as long as they are used. A payload that
// EncodeRow did not write gives CodeCorrupt.
func DecodeRow(t *kalam.Table, payload []byte, dst []kalam.Value) ([]kalam.Value, error) {
	return DecodeColumns(t, payload, nil, dst)
}

// DecodeColumns is DecodeRow for the columns i with want[i]; the others are NULL
// in the result, which has one value per column of t all the same. A nil want
// means all columns.
func DecodeColumns(t *kalam.Table, payload []byte, want []bool, dst []kalam.Value) ([]kalam.Value, error) {
	n := len(t.Columns)
	if cap(dst) < n {
		dst = make([]kalam.Value, n)
	}
	dst = dst[:n]
	r, err := readRow(payload)
	if err != nil {
		return nil, corruptRow(t, err)
	}
	at := 0
	for r.left > 0 {
		if err := r.next(); err != nil {
			return nil, corruptRow(t, err)
		}
		at = fillMissing(t, dst, at, want, r.id)
		if at == n || t.Columns[at].ID != r.id {
			continue // a dropped column
		}
		dst[at] = kalam.Value{}
		if want == nil || want[at] {
			if dst[at], err = r.value(t.Columns[at].Type); err != nil {
				return nil, corruptRow(t, err)
			}
		}
		at++
	}
	if err := r.end(); err != nil {
		return nil, corruptRow(t, err)
	}
	fillMissing(t, dst, at, want, math.MaxUint32)
	return dst, nil
}

// fillMissing gives the columns from at on whose id is below id what older rows hold
// and returns the index of the first column at or above id.
func fillMissing(t *kalam.Table, dst []kalam.Value, at int, want []bool, id kalam.ColumnID) int {
	for ; at < len(t.Columns) && t.Columns[at].ID < id; at++ {
		dst[at] = kalam.Value{}
		if want == nil || want[at] {
			dst[at] = t.Columns[at].Missing
		}
	}
	return at
}

// corruptRow wraps a damage found in a row of t.
func corruptRow(t *kalam.Table, err error) error {
	return kalam.Wrap(kalam.CodeCorrupt, err, "a stored row of table %s is damaged", t.ID)
}

// damage is the reason why a payload is no row. It is a constant, so that
// finding damage costs nothing.
type damage string

// Error returns the reason.
func (d damage) Error() string { return string(d) }

const (
	damageVersion  damage = "unknown version of the row encoding"
	damageShort    damage = "the row ends early"
	damageLong     damage = "bytes follow the last column"
	damageNumber   damage = "a number is not in its shortest form"
	damageOrder    damage = "the column ids do not rise"
	damageTag      damage = "unknown tag"
	damageBoolean  damage = "a BOOLEAN is neither 0 nor 1"
	damageDecimal  damage = "a DECIMAL has an impossible scale"
	damageMismatch damage = "a value does not fit the type of its column"
)

// rowReader walks the columns of a payload. After next it stands on the column
// id, whose tag and data are in tag and data.
type rowReader struct {
	p    []byte // the rest of the payload
	left uint64 // columns not yet read
	id   kalam.ColumnID
	tag  byte
	data []byte
}

// readRow returns a reader before the first column.
func readRow(payload []byte) (rowReader, error) {
	if len(payload) == 0 {
		return rowReader{}, damageShort
	}
	if payload[0] != rowVersion {
		return rowReader{}, damageVersion
	}
	r := rowReader{p: payload[1:]}
	n, err := r.uvarint()
	r.left = n
	return r, err
}

// uvarint reads a number in its shortest form.
func (r *rowReader) uvarint() (uint64, error) {
	if len(r.p) > 0 && r.p[0] < 0x80 {
		n := uint64(r.p[0])
		r.p = r.p[1:]
		return n, nil
	}
	n, size := binary.Uvarint(r.p)
	if size <= 0 {
		return 0, damageShort
	}
	if r.p[size-1] == 0 {
		return 0, damageNumber
	}
	r.p = r.p[size:]
	return n, nil
}

// next reads one column; left must be above 0.
func (r *rowReader) next() error {
	id, err := r.uvarint()
	if err != nil {
		return err
	}
	if id <= uint64(r.id) || id > math.MaxUint32 {
		return damageOrder
	}
	r.id = kalam.ColumnID(id)
	r.left--
	if len(r.p) == 0 {
		return damageShort
	}
	r.tag = r.p[0]
	r.p = r.p[1:]
	size := uint64(tagSizes[r.tag])
	if size >= sizePrefixed {
		if size == sizeInvalid {
			return damageTag
		}
		if len(r.p) < 4 {
			return damageShort
		}
		size = uint64(binary.LittleEndian.Uint32(r.p))
		r.p = r.p[4:]
	}
	if uint64(len(r.p)) < size {
		return damageShort
	}
	r.data = r.p[:size]
	r.p = r.p[size:]
	return nil
}

// end reports whether anything follows the last column.
func (r *rowReader) end() error {
	if len(r.p) != 0 {
		return damageLong
	}
	return nil
}

// value returns the column the reader stands on as a value of type t.
func (r *rowReader) value(t kalam.DataType) (kalam.Value, error) {
	if r.tag == tagNull {
		return kalam.Value{}, nil
	}
	d := of(kalam.Kind(r.tag)) // next admits no tag without one.
	if d.validate != nil {
		if err := d.validate(r.data); err != nil {
			return kalam.Value{}, err
		}
	}
	v := d.decode(d.kind, r.data)
	if d.kind == t.Kind && !d.parametric {
		return v, nil
	}
	v, err := Cast(t, v)
	if err != nil {
		return kalam.Value{}, damageMismatch
	}
	return v, nil
}

// aliased returns b as a string that shares its memory.
func aliased(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // Payloads are immutable by contract.
}
