package buffer

import (
	"math/bits"
	"sync/atomic"

	"github.com/kalamlake/kalam"
)

// base names the flushed row that a version supersedes; segment 0 is none.
type base struct {
	segment kalam.SegmentID
	row     uint32
}

// version is one version of a row in the log. It is immutable but for died.
type version struct {
	seq       kalam.Seq
	died      uint64 // Atomic: seq of the version that replaced it, 0 while it is the newest.
	key       []byte
	payload   []byte
	hash      uint32 // Of the key, in its memtable's index.
	prev      int32  // Index of the key's previous version, -1 for none.
	tombstone bool
	opens     bool // First of its block.
	based     bool // It supersedes a flushed row.
}

func (v *version) row() kalam.Row {
	return kalam.Row{Seq: v.seq, Deleted: v.tombstone, Payload: v.payload}
}

// size returns the bytes of v that count as buffered: those of its key and payload.
func (v *version) size() int64 { return int64(len(v.key) + len(v.payload)) }

// alive reports whether v is the newest of its key at seq s.
func (v *version) alive(s kalam.Seq) bool {
	died := kalam.Seq(atomic.LoadUint64(&v.died))
	return died == 0 || died > s
}

// versionList is a list of versions that never moves them: page k holds as many
// as all pages before it. A copy shows the first n for ever, while the original
// grows.
type versionList struct {
	pages [][]version
	n     int
}

const (
	firstPageBits = 3
	firstPage     = 1 << firstPageBits
)

// at returns version i.
func (l *versionList) at(i int) *version {
	k := bits.Len(uint(i) >> firstPageBits)
	if k == 0 {
		return &l.pages[0][i]
	}
	return &l.pages[k][i-firstPage<<(k-1)]
}

// push appends a version and returns it. Only the committer calls it.
func (l *versionList) push(v version) *version {
	k := bits.Len(uint(l.n) >> firstPageBits)
	if k == len(l.pages) {
		size := firstPage
		if k > 0 {
			size <<= k - 1
		}
		l.pages = append(l.pages, make([]version, size))
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
		if mid := (low + high) / 2; l.at(mid).seq < s {
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
	return l.at(l.n - 1).seq
}
