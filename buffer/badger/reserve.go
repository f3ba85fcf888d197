package badger

import (
	"context"
	"time"
)

// compactionBytes returns the size of the tables that the next compaction may write
// anew before it removes the old ones: those of the newest level, which are merged
// together, and of the level that they are merged into. Deeper levels are merged a
// table at a time.
func (b *Backend) compactionBytes() int64 {
	now := time.Now().UnixNano()
	if now-b.compaction.asked.Load() < int64(compactionAge) {
		return b.compaction.bytes.Load()
	}
	var total int64
	for _, l := range b.db.Levels() {
		if l.Level == 0 || l.IsBaseLevel {
			total += l.Size
		}
	}
	b.compaction.bytes.Store(total)
	b.compaction.asked.Store(now)
	return total
}

// reserve returns the bytes of the disk that stay free of bulk data, 0 for none: for a
// table and the log after the next one, for a compaction, and for what gives back space.
func (b *Backend) reserve() int64 {
	switch {
	case b.opts.ReserveBytes < 0:
		return 0
	case b.opts.ReserveBytes > 0:
		return b.opts.ReserveBytes
	}
	return 2*logBytes(b.opts.MemtableBytes) + b.compactionBytes()
}

// Room returns the free space of the disk and how much of it stays free of bulk data;
// known is false where the system does not tell.
func (b *Backend) Room() (free, reserve int64, known bool) {
	if b.enter(context.Background()) != nil {
		return 0, 0, false
	}
	defer b.leave()
	free, known = freeSpace(b.dir)
	return free, b.reserve(), known
}

// compactionAge is how long the sizes of Badger's tables are taken for current.
const compactionAge = time.Second
