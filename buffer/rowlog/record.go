package rowlog

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/kalamlake/kalam"
)

// SumHeader is the length of the header that every value begins with: its format,
// 1 byte, and a crc32c, 4 bytes LE.
const SumHeader = 5

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum returns the checksum of b.
func Sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Seal returns a value of a format: the header and the body.
func Seal(format byte, body []byte) []byte {
	out := append(make([]byte, SumHeader, SumHeader+len(body)), body...)
	out[0] = format
	binary.LittleEndian.PutUint32(out[1:], Sum(body))
	return out
}

// SumFits reports whether the checksum of a value is that of its body.
func SumFits(raw []byte) bool {
	return len(raw) >= SumHeader && Sum(raw[SumHeader:]) == binary.LittleEndian.Uint32(raw[1:])
}

// The clock record: the header and the ceiling, 8 bytes LE.
const (
	clockFormat = 0x01
	clockBytes  = SumHeader + 8
)

// EncodeClock returns the clock record of a ceiling.
func EncodeClock(ceiling kalam.Seq) []byte {
	return Seal(clockFormat, binary.LittleEndian.AppendUint64(nil, uint64(ceiling)))
}

// DecodeClock reads a clock record.
func DecodeClock(raw []byte) (kalam.Seq, error) {
	if len(raw) != clockBytes || raw[0] != clockFormat || !SumFits(raw) {
		return 0, kalam.Errorf(kalam.CodeCorrupt, "the clock record of the write buffer is damaged")
	}
	return kalam.Seq(binary.LittleEndian.Uint64(raw[SumHeader:])), nil
}

const counterFormat = 0x01

// CounterBytes is the length of the record of a counter: format, 1 byte | crc32c
// of the rest and of the key, 4 bytes LE | value, 8 bytes LE.
const CounterBytes = SumHeader + 8

func counterSum(key, value []byte) uint32 { return crc32.Update(Sum(value), castagnoli, key) }

// EncodeCounter returns the record of the counter with a CounterKey.
func EncodeCounter(key []byte, value int64) []byte {
	raw := make([]byte, CounterBytes)
	raw[0] = counterFormat
	binary.LittleEndian.PutUint64(raw[SumHeader:], uint64(value))
	binary.LittleEndian.PutUint32(raw[1:], counterSum(key, raw[SumHeader:]))
	return raw
}

// DecodeCounter reads the record of the counter of a column in a scope.
func DecodeCounter(sc kalam.Scope, column kalam.ColumnID, raw []byte) (int64, error) {
	if len(raw) != CounterBytes || raw[0] != counterFormat ||
		counterSum(CounterKey(sc, column), raw[SumHeader:]) != binary.LittleEndian.Uint32(raw[1:]) {
		return 0, kalam.Errorf(kalam.CodeCorrupt, "the counter of column %d of table %d, user '%s', is damaged",
			column, sc.Table, sc.User)
	}
	return int64(binary.LittleEndian.Uint64(raw[SumHeader:])), nil
}
