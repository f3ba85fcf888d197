package memtable

import (
	"bytes"
	"hash/maphash"
)

// keySeed makes the index unpredictable from the keys.
var keySeed = maphash.MakeSeed()

// HashKey returns the hash of a key as Newest and AddHashed take it.
func HashKey(key []byte) uint32 { return uint32(maphash.Bytes(keySeed, key)) }

// keyIndex finds the newest version of a key: a hash table with linear probing
// of version numbers, whose keys lie in the versions. It takes 8 bytes a key.
type keyIndex struct {
	slots []int32 // Version number + 1, 0 for a free slot; the length is a power of two.
	used  int
}

const firstSlots = 8

// slot returns the slot that holds the key, or the free one where it belongs.
func (x *keyIndex) slot(l *versionList, hash uint32, key []byte) int {
	mask := len(x.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		n := x.slots[i]
		if n == 0 {
			return i
		}
		if v := l.at(int(n - 1)); v.Hash == hash && bytes.Equal(v.Key, key) {
			return i
		}
	}
}

// find returns the number of the newest version of the key, -1 when there is none.
func (x *keyIndex) find(l *versionList, hash uint32, key []byte) int32 {
	if len(x.slots) == 0 {
		return -1
	}
	return x.slots[x.slot(l, hash, key)] - 1
}

// set makes version number n, which is in l, the newest of its key.
func (x *keyIndex) set(l *versionList, n int32) {
	if 2*(x.used+1) > len(x.slots) {
		x.grow(l)
	}
	v := l.at(int(n))
	i := x.slot(l, v.Hash, v.Key)
	if x.slots[i] == 0 {
		x.used++
	}
	x.slots[i] = n + 1
}

func (x *keyIndex) grow(l *versionList) {
	old := x.slots
	x.slots = make([]int32, max(firstSlots, 2*len(old)))
	mask := len(x.slots) - 1
	for _, n := range old {
		if n == 0 {
			continue
		}
		i := int(l.at(int(n-1)).Hash) & mask
		for x.slots[i] != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = n
	}
}

// remove forgets the key of version number n.
func (x *keyIndex) remove(l *versionList, n int32) {
	v := l.at(int(n))
	mask := len(x.slots) - 1
	hole := x.slot(l, v.Hash, v.Key)
	x.used--
	for i := (hole + 1) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		// What was displaced over the hole moves into it.
		home := int(l.at(int(x.slots[i]-1)).Hash) & mask
		if (i-home)&mask >= (i-hole)&mask {
			x.slots[hole] = x.slots[i]
			hole = i
		}
	}
	x.slots[hole] = 0
}
