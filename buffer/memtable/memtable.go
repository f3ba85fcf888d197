package memtable

import (
	"sort"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Memtable holds the versions of a scope that are in the log and above the
// watermark, in seq order, with the index of their keys.
//
// What is published is committed; what it has beyond that is being committed and
// is seen by nobody but the writer. A version that is published never changes but
// for its deleted seq, so readers need a lock for the key index only.
type Memtable struct {
	versions   versionList
	superseded supersededList
	replaced   int   // Versions that were replaced.
	tombstones int   // Tombstones that were not.
	bytes      int64 // Of keys and payloads.

	// Published is what readers may see. The caller guards it: Publish replaces it.
	Published Published

	mu    sync.RWMutex // guards index, and versions as far as it refers to them, against readers
	index keyIndex

	cache batchCache
	refs  atomic.Int32 // At 0 the cache is released.
}

// Published is the part of a memtable that is committed. A copy never changes.
type Published struct {
	versions   versionList
	superseded supersededList
	replaced   int
	tombstones int
	bytes      int64
}

// supersededList holds the superseded rows of those versions that have one, by
// version.
type supersededList struct {
	version []int32
	row     []rowlog.RowRef
}

// below returns how many of the rows belong to the first n versions.
func (b *supersededList) below(n int) int {
	return sort.Search(len(b.version), func(i int) bool { return int(b.version[i]) >= n })
}

// of returns the row of a version that has one.
func (b *supersededList) of(version int) rowlog.RowRef { return b.row[b.below(version)] }

// New returns an empty memtable with one reference. dropped, if it is not nil, is
// told the id of a Batch that no further reading will have.
func New(dropped func(id uint64)) *Memtable {
	m := &Memtable{cache: batchCache{dropped: dropped}}
	m.refs.Store(1)
	return m
}

// Retain adds a reference.
func (m *Memtable) Retain() { m.refs.Add(1) }

// Release ends a reference; the last one ends the cache of batches.
func (m *Memtable) Release() {
	if m.refs.Add(-1) == 0 {
		m.cache.release()
	}
}

// Memory estimates what the memtable takes.
func (m *Memtable) Memory() int64 {
	const (
		versionSize = int64(unsafe.Sizeof(Version{}))
		rowRefSize  = int64(unsafe.Sizeof(rowlog.RowRef{})) + 4
	)
	return m.bytes + m.versions.room()*versionSize + int64(len(m.index.slots))*4 +
		int64(cap(m.superseded.row))*rowRefSize + m.cache.size.Load()
}

// Publish makes all versions visible. The caller guards Published.
func (m *Memtable) Publish() {
	m.Published = Published{m.versions, m.superseded, m.replaced, m.tombstones, m.bytes}
}

// Len returns how many versions there are, those that are not published included.
func (m *Memtable) Len() int { return m.versions.n }

// At returns version i. Only the writer may ask for one that is not published.
func (m *Memtable) At(i int) *Version { return m.versions.at(i) }

// Last returns the seq of the last version, or floor when there is none.
func (m *Memtable) Last(floor kalam.Seq) kalam.Seq { return m.versions.last(floor) }

// Bytes returns the bytes of all keys and payloads.
func (m *Memtable) Bytes() int64 { return m.bytes }

// Add appends a version that replaces the newest one of its key, and the flushed
// row superseded, if that names one.
func (m *Memtable) Add(e rowlog.Entry, superseded rowlog.RowRef) {
	m.AddHashed(e, superseded, HashKey(e.Key))
}

// AddHashed is Add with the hash of the key.
func (m *Memtable) AddHashed(e rowlog.Entry, superseded rowlog.RowRef, hash uint32) {
	n := int32(m.versions.n)
	v := Version{
		Seq: e.Seq, Key: e.Key, Payload: e.Payload, Hash: hash,
		Tombstone: e.Tombstone, StartsBlock: e.StartsBlock, Supersedes: superseded.Segment != 0,
	}
	m.mu.Lock()
	v.Prev = m.index.find(&m.versions, hash, v.Key)
	if v.Prev >= 0 {
		old := m.versions.at(int(v.Prev))
		atomic.StoreUint64(&old.deletedSeq, uint64(v.Seq))
		m.replaced++
		m.countTombstone(old, -1)
	}
	m.countTombstone(&v, 1)
	m.versions.push(v)
	m.index.set(&m.versions, n)
	m.mu.Unlock()
	if v.Supersedes {
		m.superseded.version = append(m.superseded.version, n)
		m.superseded.row = append(m.superseded.row, superseded)
	}
	m.bytes += v.Size()
}

// countTombstone counts v, which is the newest of its key from now on, or not any more.
func (m *Memtable) countTombstone(v *Version, by int) {
	if v.Tombstone {
		m.tombstones += by
	}
}

// Undo removes the versions from index n on: those of a request that failed.
func (m *Memtable) Undo(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := m.versions.n - 1; i >= n; i-- {
		v := m.versions.at(i)
		if v.Prev >= 0 {
			m.index.set(&m.versions, v.Prev)
			old := m.versions.at(int(v.Prev))
			atomic.StoreUint64(&old.deletedSeq, 0)
			m.replaced--
			m.countTombstone(old, 1)
		} else {
			m.index.remove(&m.versions, int32(i))
		}
		if v.Supersedes {
			last := len(m.superseded.version) - 1
			m.superseded.version, m.superseded.row = m.superseded.version[:last], m.superseded.row[:last]
		}
		m.countTombstone(v, -1)
		m.bytes -= v.Size()
		*v = Version{}
	}
	m.versions.n = n
}

// Newest returns the index of the newest version of a key, those that are not
// published included, -1 when there is none. Only the writer calls it.
func (m *Memtable) Newest(key []byte, hash uint32) int32 {
	return m.index.find(&m.versions, hash, key)
}

// IndexAt returns the index of the newest version of a key among the first n
// versions, -1 when there is none.
func (m *Memtable) IndexAt(key []byte, n int) int32 {
	hash := HashKey(key)
	m.mu.RLock()
	defer m.mu.RUnlock()
	i := m.index.find(&m.versions, hash, key)
	for i >= int32(n) {
		i = m.versions.at(int(i)).Prev
	}
	return i
}

// Superseded returns the flushed row that version i replaces, zero when there is
// none.
func (p *Published) Superseded(i int) rowlog.RowRef {
	if !p.versions.at(i).Supersedes {
		return rowlog.RowRef{}
	}
	return p.superseded.of(i)
}

// SupersededRows returns the flushed rows that versions replace, in the order of
// the versions.
func (p *Published) SupersededRows() []rowlog.RowRef { return p.superseded.row }

// SupersededBelow returns those of the first n versions.
func (p *Published) SupersededBelow(n int) []rowlog.RowRef {
	return p.superseded.row[:p.superseded.below(n)]
}

// Len returns how many versions there are.
func (p *Published) Len() int { return p.versions.n }

// At returns version i.
func (p *Published) At(i int) *Version { return p.versions.at(i) }

// Search returns the index of the first version with a seq of at least s.
func (p *Published) Search(s kalam.Seq) int { return p.versions.search(s) }

// Last returns the seq of the last version, or floor when there is none.
func (p *Published) Last(floor kalam.Seq) kalam.Seq { return p.versions.last(floor) }

// Bytes returns the bytes of all keys and payloads.
func (p *Published) Bytes() int64 { return p.bytes }

// Alive counts the newest versions of each key among the first n, as of seq s.
func (p *Published) Alive(n int, s kalam.Seq) int {
	alive := 0
	for i := range n {
		if p.versions.at(i).Alive(s) {
			alive++
		}
	}
	return alive
}

// Live counts the keys whose newest version is a row, written at since or later.
func (p *Published) Live(since kalam.Seq) int {
	from := p.Search(since)
	if from == 0 {
		return p.Len() - p.replaced - p.tombstones
	}
	if p.replaced == 0 && p.tombstones == 0 {
		return p.Len() - from
	}
	last, n := p.Last(0), 0
	for i := from; i < p.Len(); i++ {
		if v := p.At(i); !v.Tombstone && v.Alive(last) {
			n++
		}
	}
	return n
}
