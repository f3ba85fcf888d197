package lake

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// Reading one row means decompressing its row group, which is most of the cost.
// A group is therefore kept decoded when it is read again soon: point reads and
// updates by key come back to the same rows. Soon means that a cache of this size
// would still hold it; so scans and random reads of more than fits, which gain
// nothing, do not pay for decoding whole groups.

// decodedGroup holds the rows of one row group in the row encoding.
type decodedGroup struct {
	payloads []byte
	end      []uint32 // where the payload of each row ends
	seqs     []kalam.Seq
	deleted  []bool
}

// Close implements io.Closer; there is nothing to close.
func (g *decodedGroup) Close() error { return nil }

func (g *decodedGroup) memory() int64 {
	return int64(len(g.payloads)) + int64(len(g.end))*13 + 128
}

// row returns a copy of row i: what callers keep must not pin the group.
func (g *decodedGroup) row(i int64) kalam.Row {
	start := uint32(0)
	if i > 0 {
		start = g.end[i-1]
	}
	return kalam.Row{Seq: g.seqs[i], Deleted: g.deleted[i], Payload: bytes.Clone(g.payloads[start:g.end[i]])}
}

// groupCache keeps decoded groups, bounded by bytes.
type groupCache struct {
	handles  *handleCache[*decodedGroup]
	maxBytes int64

	mu sync.Mutex // guards all below
	// recent are the groups that were read and not kept, most recent first, as
	// many as would fit.
	recent *list.List // of recentGroup
	seen   map[objectKey]*list.Element
	bytes  int64
}

type recentGroup struct {
	key   objectKey
	bytes int64
}

func newGroupCache(maxBytes int64) *groupCache {
	const maxCount = 1 << 20 // bytes are the bound
	maxBytes = max(maxBytes, 0)
	return &groupCache{
		handles: newHandleCache[*decodedGroup](maxCount, maxBytes), maxBytes: maxBytes,
		recent: list.New(), seen: make(map[objectKey]*list.Element),
	}
}

// maxGroup returns the size of the largest group that is kept.
func (c *groupCache) maxGroup() int64 { return c.maxBytes / 4 }

// wanted notes that a group which is not cached is read, and reports whether it
// shall be cached now.
func (c *groupCache) wanted(key objectKey, bytes int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, again := c.seen[key]; again {
		c.dropLocked(e)
		return true
	}
	c.seen[key] = c.recent.PushFront(recentGroup{key, bytes})
	c.bytes += bytes
	for c.bytes > c.maxBytes {
		c.dropLocked(c.recent.Back())
	}
	return false
}

func (c *groupCache) dropLocked(e *list.Element) {
	g := c.recent.Remove(e).(recentGroup)
	delete(c.seen, g.key)
	c.bytes -= g.bytes
}

// groupKey names a group as rows of one version of a table. '#' occurs in no
// path that the lake makes.
func groupKey(storage kalam.StorageID, p string, group int, t *kalam.Table) objectKey {
	return objectKey{storage, fmt.Sprintf("%s#%d#%d#%d", p, group, t.Number, t.SchemaVersion)}
}

// forget drops the groups of the file at p, whose name may be used again.
func (c *groupCache) forget(storage kalam.StorageID, p string) {
	_ = c.handles.dropAll(func(k objectKey) bool { // decoded groups have nothing to close
		return k.storage == storage && strings.HasPrefix(k.path, p) && k.path[len(p)] == '#'
	})
}

// cachedGroup returns a group that is cached or shall be, nil otherwise. The
// caller releases it.
func (l *Lake) cachedGroup(ctx context.Context, f *parquetFile, plan *columnPlan,
	group int) (*handle[*decodedGroup], error) {
	size := f.groupBytes(group)
	if size > l.groups.maxGroup() || f.swollen[group].Load() {
		return nil, nil
	}
	key := groupKey(f.storage, f.path, group, plan.table)
	if !l.groups.handles.contains(key) && !l.groups.wanted(key, size) {
		return nil, nil
	}
	h, err := l.groups.handles.acquire(ctx, key, func() (*decodedGroup, int64, error) {
		g, err := f.decodeGroup(plan, group, l.groups.maxGroup())
		if err != nil {
			return nil, 0, err
		}
		return g, g.memory(), nil
	})
	if errors.Is(err, errTooMuchText) {
		f.swollen[group].Store(true)
		return nil, nil
	}
	return h, err
}

// groupBytes returns about how many bytes a decoded group takes at least: texts
// that repeat are in the file once.
func (f *parquetFile) groupBytes(group int) int64 {
	g := f.meta.RowGroups[group]
	n := g.NumRows * (13 + 8*int64(len(g.Columns)))
	for _, c := range g.Columns {
		n += c.MetaData.GetTotalUncompressedSize()
	}
	return n
}

// decodeGroup decodes a whole group; one with more than maxText bytes of text is
// errTooMuchText.
func (f *parquetFile) decodeGroup(plan *columnPlan, group int, maxText int64) (*decodedGroup, error) {
	n := int(f.rowStart[group+1] - f.rowStart[group])
	rows := make([]int64, n)
	for i := range rows {
		rows[i] = int64(i)
	}
	cells, err := f.readCells(plan, group, rows, &textArena{limit: maxText})
	if err != nil {
		return nil, err
	}
	g := &decodedGroup{end: make([]uint32, n), seqs: make([]kalam.Seq, n), deleted: make([]bool, n)}
	width := len(plan.columns) + 2
	for i := range n {
		values := cells[i*width : (i+1)*width]
		g.payloads = datatype.EncodeRow(g.payloads, plan.table, values[:width-2])
		g.end[i] = uint32(len(g.payloads))
		g.seqs[i] = kalam.Seq(values[width-2].Int())
		g.deleted[i] = values[width-1].Bool()
	}
	g.payloads = bytes.Clone(g.payloads)
	return g, nil
}
