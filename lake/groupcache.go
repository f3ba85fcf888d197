package lake

import (
	"container/list"
	"fmt"
	"strings"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/parquet"
)

// Reading one row means decompressing its row group, which is most of the cost.
// A group is therefore kept decoded when it is read again soon: point reads and
// updates by key come back to the same rows. Soon means that a cache of this size
// would still hold it; so scans and random reads of more than fits, which gain
// nothing, do not pay for decoding whole groups.

// groupCache keeps decoded groups, bounded by bytes.
type groupCache struct {
	handles  *handleCache[*parquet.Group]
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
		handles: newHandleCache[*parquet.Group](maxCount, maxBytes), maxBytes: maxBytes,
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
