package memtable

import (
	"math/bits"
	"sync/atomic"

	"github.com/kalamlake/kalam"
)

// Version is one version of a row in the log. It is immutable but for deletedSeq.
type Version struct {
	Seq         kalam.Seq
	deletedSeq  uint64 // Atomic: seq of the version that replaced it, 0 while it is the newest.
	Key         []byte
	Payload     []byte
	Hash        uint32 // Of the key: HashKey.
	Prev        int32  // Index of the key's previous version, -1 for none.
	Tombstone   bool
	StartsBlock bool // It is the first of its block.
	Supersedes  bool // It replaces a flushed row.
}

// Row returns the row without its key.
func (v *Version) Row() kalam.Row {
	return kalam.Row{Seq: v.Seq, Deleted: v.Tombstone, Payload: v.Payload}
}

// Size returns the bytes of v that count as buffered: those of its key and payload.
func (v *Version) Size() int64 { return int64(len(v.Key) + len(v.Payload)) }

// Alive reports whether v is the newest of its key at seq s.
func (v *Version) Alive(s kalam.Seq) bool {
	deleted := kalam.Seq(atomic.LoadUint64(&v.deletedSeq))
	return deleted == 0 || deleted > s
}

// versionList is a list of versions that never moves them: page k holds as many
// as all pages before it. A copy shows the first n for ever, while the original
// grows.
type versionList struct {
	pages [][]Version
	n     int
}

const (
	firstPageBits = 3
	firstPage     = 1 << firstPageBits
)

// at returns version i.
func (l *versionList) at(i int) *Version {
	k := bits.Len(uint(i) >> firstPageBits)
	if k == 0 {
		return &l.pages[0][i]
	}
	return &l.pages[k][i-firstPage<<(k-1)]
}

// push appends a version and returns it. Only the committer calls it.
func (l *versionList) push(v Version) *Version {
	k := bits.Len(uint(l.n) >> firstPageBits)
	if k == len(l.pages) {
		size := firstPage
		if k > 0 {
			size <<= k - 1
		}
		l.pages = append(l.pages, make([]Version, size))
	}
	l.n++
	p := l.at(l.n - 1)
	*p = v
	return p
}

// room returns how many versions the pages take.
func (l *versionList) room() int64 {
	if len(l.pages) == 0 {
		return 0
	}
	return firstPage << (len(l.pages) - 1)
}

// search returns the index of the first version with a seq of at least s.
func (l *versionList) search(s kalam.Seq) int {
	low, high := 0, l.n
	for low < high {
		if mid := (low + high) / 2; l.at(mid).Seq < s {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// last returns the seq of the last version, or floor when there is none.
func (l *versionList) last(floor kalam.Seq) kalam.Seq {
	if l.n == 0 {
		return floor
	}
	return l.at(l.n - 1).Seq
}
