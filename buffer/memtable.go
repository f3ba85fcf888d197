package buffer

import (
	"sort"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"

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
	prev      int32  // Index of the key's previous version, -1 for none.
	tombstone bool
	opens     bool // First of its block.
	base      base
	key       []byte
	payload   []byte
}

// versionBytesInMemory is what a version takes in memory beside its payload: the struct,
// and its share of the key map.
const versionBytesInMemory = int64(unsafe.Sizeof(version{})) + 48

func (v *version) row() kalam.Row {
	return kalam.Row{Seq: v.seq, Deleted: v.tombstone, Payload: v.payload}
}

// memtable holds the versions of a scope that are in the log and above the
// watermark, in seq order, with the index of their keys. Only the committer
// writes it. A flush replaces it by a new one, so that snapshots of the old one
// keep what they saw.
//
// shown is what is committed; what versions has beyond it is being committed and
// is seen by nobody but the committer. A slot of shown never changes but for
// died, so readers need a lock for the key index only.
type memtable struct {
	versions []version
	based    []int32 // Versions with a base, ascending.
	bytes    int64   // Of keys and payloads.

	shown      []version // Guarded by Store.visibility.
	shownBased []int32   // Guarded by Store.visibility.

	mu     sync.RWMutex // guards latest and versions against readers
	latest map[string]int32

	cache batchCache
	refs  atomic.Int32 // The scope and each snapshot; at 0 the cache is released.

	deadMu sync.Mutex // guards dead
	dead   deadCache
}

// newMemtable returns an empty memtable with one reference.
func newMemtable() *memtable {
	m := &memtable{latest: map[string]int32{}}
	m.refs.Store(1)
	return m
}

func (m *memtable) retain() { m.refs.Add(1) }

func (m *memtable) release() {
	if m.refs.Add(-1) == 0 {
		m.cache.release()
	}
}

// show makes all versions visible. The caller holds Store.visibility.
func (m *memtable) show() { m.shown, m.shownBased = m.versions, m.based }

// lastSeq returns the seq of the newest version, or floor when there is none.
func (m *memtable) lastSeq(floor kalam.Seq) kalam.Seq {
	if n := len(m.versions); n > 0 {
		return m.versions[n-1].seq
	}
	return floor
}

// keyString views a key's bytes as a map key. Keys are immutable.
func keyString(key []byte) string { return unsafe.String(unsafe.SliceData(key), len(key)) }

// add appends a version that replaces the newest one of its key.
func (m *memtable) add(v version) {
	i := int32(len(m.versions))
	m.mu.Lock()
	v.prev = -1
	if p, ok := m.latest[keyString(v.key)]; ok {
		v.prev = p
		atomic.StoreUint64(&m.versions[p].died, uint64(v.seq))
	}
	m.versions = append(m.versions, v)
	m.latest[keyString(v.key)] = i
	m.mu.Unlock()
	if v.base.segment != 0 {
		m.based = append(m.based, i)
	}
	m.bytes += int64(len(v.key) + len(v.payload))
}

// undo removes the versions from index n on: those of a request that failed.
func (m *memtable) undo(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.versions) - 1; i >= n; i-- {
		v := &m.versions[i]
		if v.prev >= 0 {
			m.latest[keyString(v.key)] = v.prev
			atomic.StoreUint64(&m.versions[v.prev].died, 0)
		} else {
			delete(m.latest, keyString(v.key))
		}
		if v.base.segment != 0 {
			m.based = m.based[:len(m.based)-1]
		}
		m.bytes -= int64(len(v.key) + len(v.payload))
	}
	m.versions = m.versions[:n]
}

// newest returns the index of the newest version of a key, staged ones included,
// -1 when there is none. Only the committer calls it.
func (m *memtable) newest(key []byte) int32 {
	if i, ok := m.latest[keyString(key)]; ok {
		return i
	}
	return -1
}

// indexAt returns the index of the newest version of a key among the first n
// versions, -1 when there is none.
func (m *memtable) indexAt(key []byte, n int) int32 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, ok := m.latest[keyString(key)]
	if !ok {
		return -1
	}
	for i >= int32(n) {
		i = m.versions[i].prev
	}
	return i
}

// alive reports whether v is the newest of its key at seq s.
func (v *version) alive(s kalam.Seq) bool {
	died := kalam.Seq(atomic.LoadUint64(&v.died))
	return died == 0 || died > s
}

// deadCache keeps the delete vectors of the newest snapshot.
type deadCache struct {
	manifest uint64
	based    int
	dead     []*roaring.Bitmap
}

// deadRows returns the dead rows of each segment of l as of the first n
// versions: the manifest's vectors and what the log superseded since. refs are
// m.based as captured with n.
func (m *memtable) deadRows(l *lakeState, refs []int32, versions []version) []*roaring.Bitmap {
	count := sort.Search(len(refs), func(i int) bool { return int(refs[i]) >= len(versions) })
	m.deadMu.Lock()
	defer m.deadMu.Unlock()
	if m.dead.dead != nil && m.dead.manifest == l.Version && m.dead.based == count {
		return m.dead.dead
	}
	dead := make([]*roaring.Bitmap, len(l.Segments))
	for i := range dead {
		dead[i] = l.vectors[i].dead
	}
	replaceBases(l, versions, refs[:count], dead)
	m.dead = deadCache{manifest: l.Version, based: count, dead: dead}
	return dead
}
