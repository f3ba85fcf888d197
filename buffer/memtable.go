package buffer

import (
	"sort"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
)

// memtable holds the versions of a scope that are in the log and above the
// watermark, in seq order, with the index of their keys. Only the committer
// writes it. A flush replaces it by a new one, so that snapshots of the old one
// keep what they saw.
//
// What it shows is committed; what it has beyond that is being committed and is
// seen by nobody but the committer. A version that is shown never changes but for
// died, so readers need a lock for the key index only.
type memtable struct {
	versions versionList
	based    baseList
	deaths   int   // Versions that were replaced.
	graves   int   // Tombstones that were not.
	bytes    int64 // Of keys and payloads.

	shown shown // Guarded by Store.visibility.

	mu    sync.RWMutex // guards index, and versions as far as it refers to them, against readers
	index keyIndex

	cache batchCache
	refs  atomic.Int32 // The scope and each snapshot; at 0 the cache is released.

	deadMu sync.Mutex // guards dead
	dead   deadCache
}

// shown is the part of a memtable that is committed.
type shown struct {
	versions versionList
	based    baseList
	deaths   int
	graves   int
	bytes    int64
}

// baseList holds the bases of those versions that have one, by version.
type baseList struct {
	version []int32
	base    []base
}

// below returns how many of the bases belong to the first n versions.
func (b *baseList) below(n int) int {
	return sort.Search(len(b.version), func(i int) bool { return int(b.version[i]) >= n })
}

// of returns the base of a version that has one.
func (b *baseList) of(version int) base { return b.base[b.below(version)] }

// newMemtable returns an empty memtable with one reference. dropped is
// Options.Dropped.
func newMemtable(dropped func(id uint64)) *memtable {
	m := &memtable{cache: batchCache{dropped: dropped}}
	m.refs.Store(1)
	return m
}

func (m *memtable) retain() { m.refs.Add(1) }

func (m *memtable) release() {
	if m.refs.Add(-1) == 0 {
		m.cache.release()
	}
}

// memory estimates what the memtable takes.
func (m *memtable) memory() int64 {
	const (
		versionSize = int64(unsafe.Sizeof(version{}))
		baseSize    = int64(unsafe.Sizeof(base{})) + 4
	)
	return m.bytes + m.versions.room()*versionSize + int64(len(m.index.slots))*4 +
		int64(cap(m.based.base))*baseSize + m.cache.size.Load()
}

// show makes all versions visible. The caller holds Store.visibility.
func (m *memtable) show() { m.shown = shown{m.versions, m.based, m.deaths, m.graves, m.bytes} }

// add appends a version that replaces the newest one of its key, and the flushed
// row at from, if that names one.
func (m *memtable) add(v version, from base) { m.addHashed(v, from, hashKey(v.key)) }

func (m *memtable) addHashed(v version, from base, hash uint32) {
	n := int32(m.versions.n)
	v.hash, v.based = hash, from.segment != 0
	m.mu.Lock()
	v.prev = m.index.find(&m.versions, hash, v.key)
	if v.prev >= 0 {
		old := m.versions.at(int(v.prev))
		atomic.StoreUint64(&old.died, uint64(v.seq))
		m.deaths++
		m.countGrave(old, -1)
	}
	m.countGrave(&v, 1)
	m.versions.push(v)
	m.index.set(&m.versions, n)
	m.mu.Unlock()
	if v.based {
		m.based.version = append(m.based.version, n)
		m.based.base = append(m.based.base, from)
	}
	m.bytes += v.size()
}

// countGrave counts v, which is the newest of its key from now on, or not any more.
func (m *memtable) countGrave(v *version, by int) {
	if v.tombstone {
		m.graves += by
	}
}

// undo removes the versions from index n on: those of a request that failed.
func (m *memtable) undo(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := m.versions.n - 1; i >= n; i-- {
		v := m.versions.at(i)
		if v.prev >= 0 {
			m.index.set(&m.versions, v.prev)
			old := m.versions.at(int(v.prev))
			atomic.StoreUint64(&old.died, 0)
			m.deaths--
			m.countGrave(old, 1)
		} else {
			m.index.remove(&m.versions, int32(i))
		}
		if v.based {
			last := len(m.based.version) - 1
			m.based.version, m.based.base = m.based.version[:last], m.based.base[:last]
		}
		m.countGrave(v, -1)
		m.bytes -= v.size()
		*v = version{}
	}
	m.versions.n = n
}

// newest returns the index of the newest version of a key, staged ones included,
// -1 when there is none. Only the committer calls it.
func (m *memtable) newest(key []byte, hash uint32) int32 {
	return m.index.find(&m.versions, hash, key)
}

// indexAt returns the index of the newest version of a key among the first n
// versions, -1 when there is none.
func (m *memtable) indexAt(key []byte, n int) int32 {
	hash := hashKey(key)
	m.mu.RLock()
	defer m.mu.RUnlock()
	i := m.index.find(&m.versions, hash, key)
	for i >= int32(n) {
		i = m.versions.at(int(i)).prev
	}
	return i
}

// deadCache keeps the delete vectors of the newest snapshot.
type deadCache struct {
	lake  *lakeState
	based int
	dead  []*roaring.Bitmap
}

// deadRows returns the dead rows of each segment of l, a lake state that belongs
// to the memtable, as of a snapshot: the manifest's vectors and what the log
// superseded since.
func (m *memtable) deadRows(l *lakeState, sh *shown) []*roaring.Bitmap {
	m.deadMu.Lock()
	defer m.deadMu.Unlock()
	count := len(sh.based.version)
	if m.dead.dead != nil && m.dead.based == count && m.dead.lake == l {
		return m.dead.dead
	}
	dead := l.deadVectors()
	l.replaceBases(sh.based.base, dead)
	m.dead = deadCache{lake: l, based: count, dead: dead}
	return dead
}

// deadVectors returns the dead rows of each segment in the manifest.
func (l *lakeState) deadVectors() []*roaring.Bitmap {
	dead := make([]*roaring.Bitmap, len(l.Segments))
	for i := range dead {
		dead[i] = l.vectors[i].dead
	}
	return dead
}

// replaceBases adds the bases to the delete vectors. Bitmaps are replaced, not
// changed. Segments that the scope has no more are passed over: the compaction
// that replaced them has marked what the bases name in its own segment.
func (l *lakeState) replaceBases(bases []base, dead []*roaring.Bitmap) {
	owned := make([]bool, len(dead))
	for _, b := range bases {
		n := l.segmentIndex(b.segment)
		if n < 0 {
			continue
		}
		if !owned[n] {
			owned[n] = true
			if dead[n] == nil {
				dead[n] = roaring.New()
			} else {
				dead[n] = dead[n].Clone()
			}
		}
		dead[n].Add(b.row)
	}
}

// baseOf returns the base of version i, zero when it has none.
func (sh *shown) baseOf(i int) base {
	if !sh.versions.at(i).based {
		return base{}
	}
	return sh.based.of(i)
}

// count returns how many versions there are.
func (sh *shown) count() int { return sh.versions.n }

// alive counts the newest versions of each key among the first n, as of seq s.
func (sh *shown) alive(n int, s kalam.Seq) int {
	alive := 0
	for i := range n {
		if sh.versions.at(i).alive(s) {
			alive++
		}
	}
	return alive
}
