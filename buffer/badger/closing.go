package badger

import (
	"path/filepath"
	"time"
)

// closeTime is how long Badger may take to close when tables find no room.
const closeTime = stuckFor

// closeDB closes Badger, which writes its memtables as tables. Where there is no
// room for them it would wait without an end: the logs stay then, as after a kill,
// and the next start reads them.
func (b *Backend) closeDB() error {
	for begun := time.Now(); !b.hasRoomToClose(); time.Sleep(retryPause / 10) {
		if time.Since(begun) > stuckFor { // A table that is being written gives back its log.
			return b.leaveDB()
		}
	}
	if err := noteClosed(b.dir); err != nil {
		return err
	}
	begun := time.Now()
	done := make(chan error, 1)
	go func() { done <- b.db.Close() }()
	ticker := time.NewTicker(retryPause)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
		}
		recently := time.Now().Add(-stuckFor)
		stuck := tableNoRoom.since(b.room.dir, recently) || compactionNoRoom.since(b.room.dir, recently)
		if stuck && time.Since(begun) > closeTime {
			return b.leaveDB()
		}
	}
}

// leaveDB ends the use of Badger without closing it. The directory stays locked until
// the process ends: Badger goes on to try.
func (b *Backend) leaveDB() error {
	b.left = true
	b.log.Warn("the disk is full: the write buffer is left as it is, and read by the next start", "directory", b.dir)
	if err := noteWriting(b.dir); err != nil && !isNoSpace(err) {
		return err
	}
	return nil
}

// hasRoomToClose reports whether the disk has room for the tables of all logs, and no
// compaction waits for some. A log goes when its table is there.
func (b *Backend) hasRoomToClose() bool {
	free, known := freeSpace(b.dir)
	if !known {
		return true
	}
	logs, err := usedLogs(b.dir)
	if err != nil {
		return true // Badger meets it, and says so.
	}
	var largest int64
	for _, info := range logs {
		n, err := logContent(filepath.Join(b.dir, info.Name()))
		if err != nil {
			return true
		}
		largest = max(largest, n)
	}
	return free+b.room.kept() >= largest && b.flattening.Load() == 0
}
