package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Open opens the directory dir, which is created when missing. An error has
// CodeInvalidOperation when another process uses it, and CodeCorrupt, with what
// is damaged, when files that concern everything cannot be trusted. The caller
// calls Close.
//
//nolint:contextcheck // What runs beside the requests ends by Close.
func Open(dir string, o Options) (_ *Backend, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err, "data directory %s cannot be created", dir)
	}
	b := &Backend{dir: dir, opts: o, log: o.Logger, quit: make(chan struct{}), idle: make(chan struct{})}
	if b.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.lock.release())
		}
	}()
	if err := checkFiles(dir, o.Relaxed); err != nil {
		return nil, err
	}
	if err := removeUnusedLogs(dir, b.log); err != nil {
		return nil, err
	}
	if err := removeIfThere(filepath.Join(dir, nextName)); err != nil {
		return nil, unreadable(dir, err)
	}
	if o.MemtableBytes == 0 {
		if b.opts.MemtableBytes, err = chooseMemtable(dir); err != nil {
			return nil, err
		}
	}
	if err := checkRoomToOpen(dir, b.opts.MemtableBytes); err != nil {
		return nil, err
	}
	if err := noteOpening(dir); err != nil {
		return nil, openError(dir, err)
	}
	if err := b.openDB(); err != nil {
		return nil, err
	}
	if err := b.load(); err != nil {
		return nil, errors.Join(err, b.closeFiles())
	}
	b.work.Add(1)
	go b.collectLoop()
	if o.Relaxed {
		b.work.Add(1)
		go b.syncLoop()
	}
	b.log.Info("write buffer opened", "directory", dir, "bytes", b.diskSize(), "relaxed", o.Relaxed)
	return b, nil
}

// openDB opens Badger. It panics on some damaged files; what reaches this
// goroutine becomes an error.
func (b *Backend) openDB() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged(b.dir, fmt.Errorf("open: %v", p))
		}
	}()
	o := badger.DefaultOptions(b.dir)
	o.Logger = &logger{log: b.log}
	o.SyncWrites = !b.opts.Relaxed && !syncsItself
	o.MemTableSize = b.opts.MemtableBytes
	o.NumMemtables = 1
	o.NumCompactors = 2
	most := b.opts.MemtableBytes * 15 / 100 // Badger refuses a transaction from here on.
	o.ValueThreshold = min(1<<20, most)     // Values that reach Badger are below.
	o.ValueLogFileSize = valueLogBytes
	o.ChecksumVerificationMode = options.OnBlockRead
	// Rows are flushed away within minutes, and blocks are read in place.
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.DetectConflicts = false
	o.MetricsEnabled = false
	if b.db, err = badger.Open(o); err != nil {
		return openError(b.dir, err)
	}
	if b.logs, err = openLogSync(b.dir); err != nil {
		return errors.Join(openError(b.dir, err), noteClosed(b.dir), b.logs.close(), b.db.Close())
	}
	if b.room, err = openRoom(b.dir, b.opts.MemtableBytes, b.opts.ReserveBytes >= 0); err != nil {
		return errors.Join(openError(b.dir, err), noteClosed(b.dir), b.logs.close(), b.db.Close())
	}
	// An op of a large value writes two entries. Badger counts some bytes of its own
	// for each, and allows as many as there would be nodes of its skip list.
	b.limits = buffer.Limits{Ops: int(most / 400), Bytes: most * 2 / 5, Large: min(largeValue, most/8), Value: maxValue}
	return nil
}

// openError words what Badger says. It does not keep the system's error, so a
// full disk can only be told by its text.
func openError(dir string, err error) error {
	if isNoSpace(err) {
		free, _ := freeSpace(dir)
		return errors.Join(errNoRoomToOpen(dir, free, free+2*valueLogBytes+openSlack), err)
	}
	if isSystemError(err) || strings.Contains(err.Error(), fs.ErrPermission.Error()) {
		return unreadable(dir, err)
	}
	return damaged(dir, err)
}

// Close waits for running operations and for the goroutines, makes everything
// durable and unlocks the directory. A second call does nothing.
func (b *Backend) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	if b.active == 0 {
		close(b.idle)
	}
	b.mu.Unlock()
	close(b.quit)
	<-b.idle
	b.work.Wait()
	err := b.closeFiles()
	if err != nil {
		err = fmt.Errorf("close %s: %w", b.dir, err)
	}
	if b.left {
		return err
	}
	return errors.Join(err, b.lock.release())
}

// closeFiles closes what openDB and load have opened.
func (b *Backend) closeFiles() error {
	return errors.Join(b.room.close(), b.closeDB(), b.logs.close(), b.large.close())
}
