package buffer

import (
	"encoding/binary"
	"fmt"

	"github.com/kalamlake/kalam"
)

// Partitions of the Store. This file is the one place of names and keys.
const (
	partitionRows     = "sys_rows"     // Row log: logKey -> block.
	partitionManifest = "sys_manifest" // scopePrefix -> manifest of record.
	partitionMeta     = "sys_meta"     // Clock ceiling, intents of large writes.
	partitionCounts   = "sys_counts"   // countKey -> value of a counter.
)

// Keys of partitionMeta.
const (
	metaClock        = "clock"
	metaIntentPrefix = "intent/"
)

const (
	tableNumberBytes = 8
	maxLogKey        = tableNumberBytes + 2*kalam.MaxUserID + 2 + 8
)

// scopePrefix returns the prefix of all keys of a scope:
//
//	table number, 8 bytes big endian | user id, 0x00 as 0x00 0xFF | 0x00 0x01
//
// The terminator makes no user's prefix a prefix of another's.
func scopePrefix(sc kalam.Scope) []byte {
	dst := tablePrefix(sc.Table)
	for i := 0; i < len(sc.User); i++ {
		dst = append(dst, sc.User[i])
		if sc.User[i] == 0 {
			dst = append(dst, 0xFF)
		}
	}
	return append(dst, 0x00, 0x01)
}

// tablePrefix returns the prefix of all keys of a table.
func tablePrefix(n kalam.TableNumber) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(n))
}

// logKey returns the key of the block of a scope whose first version is seq.
func logKey(sc kalam.Scope, seq kalam.Seq) []byte {
	return binary.BigEndian.AppendUint64(scopePrefix(sc), uint64(seq))
}

// countKey returns the key of a counter: its scope and its column, 4 bytes big
// endian.
func countKey(id CounterID) []byte {
	return binary.BigEndian.AppendUint32(scopePrefix(id.Scope), uint32(id.Column))
}

// intentKey returns the key of the intent of a large write: the range of its
// seqs, both ends included.
func intentKey(first, last kalam.Seq) []byte {
	key := binary.BigEndian.AppendUint64([]byte(metaIntentPrefix), uint64(first))
	return binary.BigEndian.AppendUint64(key, uint64(last))
}

// splitIntentKey reads an intentKey.
func splitIntentKey(key []byte) (seqRange, error) {
	n := len(metaIntentPrefix)
	if len(key) != n+16 {
		return seqRange{}, fmt.Errorf("intent key %x is malformed", key)
	}
	return seqRange{kalam.Seq(binary.BigEndian.Uint64(key[n:])), kalam.Seq(binary.BigEndian.Uint64(key[n+8:]))}, nil
}

// splitScope reads a scopePrefix and returns what follows it.
func splitScope(key []byte) (sc kalam.Scope, rest []byte, err error) {
	if len(key) < tableNumberBytes {
		return sc, nil, fmt.Errorf("key of %d bytes is too short", len(key))
	}
	sc.Table = kalam.TableNumber(binary.BigEndian.Uint64(key))
	user := make([]byte, 0, len(key))
	for i := tableNumberBytes; i < len(key); i++ {
		if key[i] != 0 {
			user = append(user, key[i])
			continue
		}
		if i+1 == len(key) {
			break
		}
		switch key[i+1] {
		case 0x01:
			sc.User = kalam.UserID(user)
			return sc, key[i+2:], nil
		case 0xFF:
			user = append(user, 0)
			i++
		default:
			return sc, nil, fmt.Errorf("key %x is malformed", key)
		}
	}
	return sc, nil, fmt.Errorf("key %x has no end of user", key)
}

// splitLogKey reads a logKey.
func splitLogKey(key []byte) (kalam.Scope, kalam.Seq, error) {
	sc, rest, err := splitScope(key)
	if err != nil {
		return sc, 0, err
	}
	if len(rest) != 8 {
		return sc, 0, fmt.Errorf("log key %x is malformed", key)
	}
	return sc, kalam.Seq(binary.BigEndian.Uint64(rest)), nil
}

// prefixEnd returns the smallest key above all keys with the prefix; nil when
// there is none.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xFF {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
