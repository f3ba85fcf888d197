package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/kalamlake/kalam"
)

// Keyspace holds the log. Its keys are in this file.
const Keyspace = "sys_audit"

const (
	// Format is the number of the formats of this page, the first byte of every value.
	Format = 1
	// keyChain is the key of the ends of the chain.
	keyChain = "chain"
	// prefixRecord begins the keys of records; the number follows, 8 bytes, the highest first.
	prefixRecord = "record/"
)

// Hash is that of a record: SHA-256 of the hash of the record before, the number, 8 bytes, and the JSON.
type Hash [sha256.Size]byte

// Record is an event in the log.
type Record struct {
	Event
	Number uint64 // 1, 2, 3, ...
	Hash   Hash
}

// chain says where the log begins and ends.
type chain struct {
	first  uint64 // Of the oldest record, or of the next one.
	before Hash   // Of the record before it, which was removed.
	last   uint64 // Of the newest record; first - 1 when there is none.
	hash   Hash   // Its hash, or before.
	bytes  uint64 // Of the values of all records.
}

const (
	chainSize  = 1 + 2*(8+sha256.Size) + 8
	recordHead = 1 + sha256.Size
)

func recordKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefixRecord), number)
}

// recordsEnd is the first key behind those of records.
func recordsEnd() []byte { return []byte("record0") }

// numberOf reads the key of a record.
func numberOf(key []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(key, []byte(prefixRecord))
	if !ok || len(rest) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(rest), true
}

func hashOf(before Hash, number uint64, body []byte) (h Hash) {
	s := sha256.New()
	s.Write(before[:])
	s.Write(binary.BigEndian.AppendUint64(nil, number))
	s.Write(body)
	s.Sum(h[:0])
	return h
}

// encode returns the value of a record: format, 1 byte | hash, 32 bytes | JSON.
func encode(e *Event, number uint64, before Hash) ([]byte, Hash, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, Hash{}, fmt.Errorf("encode audit record: %w", err)
	}
	h := hashOf(before, number, body)
	value := append(make([]byte, 0, recordHead+len(body)), Format)
	return append(append(value, h[:]...), body...), h, nil
}

// split takes the value of a record apart.
func split(number uint64, value []byte) (h Hash, body []byte, err error) {
	if len(value) < recordHead {
		return h, nil, damaged(number, "it is too short")
	}
	if value[0] != Format {
		return h, nil, kalam.Errorf(kalam.CodeUnsupported,
			"audit record %d has format %d; this program reads format %d: a newer kalam may have written it", number, value[0],
			Format)
	}
	copy(h[:], value[1:])
	return h, value[recordHead:], nil
}

// decode reads the value of a record. It does not look at the hash.
func decode(number uint64, value []byte) (r Record, err error) {
	h, body, err := split(number, value)
	if err != nil {
		return r, err
	}
	r.Number, r.Hash = number, h
	if err := json.Unmarshal(body, &r.Event); err != nil {
		return r, damaged(number, "it cannot be read")
	}
	return r, nil
}

func damaged(number uint64, why string) error {
	return kalam.Errorf(kalam.CodeCorrupt, "audit record %d is damaged: %s", number, why)
}

// encode returns the value of keyChain:
//
//	format, 1 byte | first, 8 bytes | hash before, 32 bytes | last, 8 bytes | its hash, 32 bytes | bytes, 8 bytes
func (c *chain) encode() []byte {
	b := append(make([]byte, 0, chainSize), Format)
	b = append(binary.BigEndian.AppendUint64(b, c.first), c.before[:]...)
	b = append(binary.BigEndian.AppendUint64(b, c.last), c.hash[:]...)
	return binary.BigEndian.AppendUint64(b, c.bytes)
}

func decodeChain(value []byte) (c chain, err error) {
	switch {
	case len(value) > 0 && value[0] > Format:
		return c, kalam.Errorf(kalam.CodeUnsupported,
			"the audit log has format %d, written by a newer kalam; this program reads up to format %d", value[0], Format)
	case len(value) != chainSize || value[0] != Format:
		return c, kalam.Errorf(kalam.CodeCorrupt, "the ends of the audit log are damaged")
	}
	half := 1 + 8 + sha256.Size
	c.first, c.last = binary.BigEndian.Uint64(value[1:]), binary.BigEndian.Uint64(value[half:])
	copy(c.before[:], value[1+8:half])
	copy(c.hash[:], value[half+8:])
	c.bytes = binary.BigEndian.Uint64(value[chainSize-8:])
	if c.first == 0 || c.last < c.first-1 {
		return c, kalam.Errorf(kalam.CodeCorrupt, "the ends of the audit log are damaged")
	}
	return c, nil
}
