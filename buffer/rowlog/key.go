package rowlog

import (
	"encoding/binary"
	"fmt"

	"github.com/kalamlake/kalam"
)

// Keyspaces of the buffer. This file is the one place of names and keys.
const (
	KeyspaceRows    = "sys_rows"     // Row log: BlockKey -> block.
	KeyspaceRecords = "sys_manifest" // ScopePrefix -> manifest of record.
	KeyspaceMeta    = "sys_meta"     // Clock ceiling, intents of large writes.
	KeyspaceCounts  = "sys_counts"   // CounterKey -> value of a counter.
)

// Keyspaces returns the names of all keyspaces of the buffer.
func Keyspaces() []string {
	return []string{KeyspaceRows, KeyspaceRecords, KeyspaceMeta, KeyspaceCounts}
}

// ScopeKeyspaces returns the names of the keyspaces whose keys begin with a scope.
func ScopeKeyspaces() []string { return []string{KeyspaceRows, KeyspaceRecords, KeyspaceCounts} }

// ClockKey is the key of the clock record in KeyspaceMeta.
const ClockKey = "clock"

// IntentPrefix begins the keys of intents in KeyspaceMeta.
const IntentPrefix = "intent/"

const (
	tableNumberBytes = 8
	// MaxKey is the length of the longest key.
	MaxKey = tableNumberBytes + 2*kalam.MaxUserID + 2 + 8
)

// ScopePrefix returns the prefix of all keys of a scope:
//
//	table number, 8 bytes big endian | user id, 0x00 as 0x00 0xFF | 0x00 0x01
//
// The terminator makes no user's prefix a prefix of another's.
func ScopePrefix(sc kalam.Scope) []byte {
	dst := TablePrefix(sc.Table)
	for i := 0; i < len(sc.User); i++ {
		dst = append(dst, sc.User[i])
		if sc.User[i] == 0 {
			dst = append(dst, 0xFF)
		}
	}
	return append(dst, 0x00, 0x01)
}

// TablePrefix returns the prefix of all keys of a table.
func TablePrefix(n kalam.TableNumber) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(n))
}

// BlockKey returns the key of the block of a scope whose first version is seq.
func BlockKey(sc kalam.Scope, seq kalam.Seq) []byte {
	return binary.BigEndian.AppendUint64(ScopePrefix(sc), uint64(seq))
}

// CounterKey returns the key of the counter of a column in a scope: the scope and
// the column, 4 bytes big endian.
func CounterKey(sc kalam.Scope, column kalam.ColumnID) []byte {
	return binary.BigEndian.AppendUint32(ScopePrefix(sc), uint32(column))
}

// SplitCounterKey reads a CounterKey.
func SplitCounterKey(key []byte) (kalam.Scope, kalam.ColumnID, error) {
	sc, rest, err := SplitScope(key)
	if err != nil {
		return sc, 0, err
	}
	if len(rest) != 4 {
		return sc, 0, fmt.Errorf("counter key %x is malformed", key)
	}
	return sc, kalam.ColumnID(binary.BigEndian.Uint32(rest)), nil
}

// SeqRange is a range of seqs, both ends included.
type SeqRange struct{ First, Last kalam.Seq }

// Contains reports whether seq lies in the range.
func (r SeqRange) Contains(seq kalam.Seq) bool { return seq >= r.First && seq <= r.Last }

// IntentKey returns the key of the intent of a large write: the range of its
// seqs, both ends included.
func IntentKey(r SeqRange) []byte {
	key := binary.BigEndian.AppendUint64([]byte(IntentPrefix), uint64(r.First))
	return binary.BigEndian.AppendUint64(key, uint64(r.Last))
}

// SplitIntentKey reads an IntentKey.
func SplitIntentKey(key []byte) (SeqRange, error) {
	n := len(IntentPrefix)
	if len(key) != n+16 {
		return SeqRange{}, fmt.Errorf("intent key %x is malformed", key)
	}
	return SeqRange{kalam.Seq(binary.BigEndian.Uint64(key[n:])), kalam.Seq(binary.BigEndian.Uint64(key[n+8:]))}, nil
}

// SplitScope reads a ScopePrefix and returns what follows it.
func SplitScope(key []byte) (sc kalam.Scope, rest []byte, err error) {
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

// SplitBlockKey reads a BlockKey.
func SplitBlockKey(key []byte) (kalam.Scope, kalam.Seq, error) {
	sc, rest, err := SplitScope(key)
	if err != nil {
		return sc, 0, err
	}
	if len(rest) != 8 {
		return sc, 0, fmt.Errorf("log key %x is malformed", key)
	}
	return sc, kalam.Seq(binary.BigEndian.Uint64(rest)), nil
}

// PrefixEnd returns the smallest key above all keys with the prefix; nil when
// there is none.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xFF {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
