package badger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Options tune a Backend. The zero value is the default.
type Options struct {
	Logger *slog.Logger // nil discards.
	// Relaxed returns from Apply before the sync, which follows within 100 ms.
	Relaxed bool
	// MemtableBytes is the memory of a memtable, of which there are up to three; 0
	// is 16 MiB, or less on a disk of less than 512 MiB. It is also what a start after
	// a crash reads back.
	MemtableBytes int64
	// ReserveBytes of the disk stay free of bulk data, so that Badger's own writing
	// has room, and what gives back space can be written. 0 is what Badger's next
	// tables need, see Backend.Room; negative is none.
	ReserveBytes int64
}

const (
	defaultMemtable = 16 << 20
	// largeValue is the length from which a value goes to a file of its own kind.
	largeValue  = 32 << 10
	maxValue    = 64 << 20
	relaxedSync = 100 * time.Millisecond
	folderMode  = 0o700
)

// Backend is a Badger directory. It is safe for concurrent use.
type Backend struct {
	dir    string
	opts   Options
	log    *slog.Logger
	db     *badger.DB
	lock   *dirLock
	limits buffer.Limits
	large  largeValues
	logs   *logSync    // Guarded by writing.
	space  space       // Likewise.
	room   *room       // Likewise.
	failed atomic.Bool // A sync failed; nothing more is written.

	left bool // Badger could not be closed.

	compaction compaction
	removed    atomic.Int64 // Keys since the last reclaim.
	reclaimed  time.Time    // When that was; of collectLoop.
	flattening atomic.Int32 // Compactions of a reclaim.
	compacting sync.Mutex   // Held while Badger compacts on our behalf, which it does once at a time.
	purges     purges
	quit       chan struct{}
	work       sync.WaitGroup // The goroutines of collecting and of the relaxed sync.
	writing    sync.Mutex     // Serialises batches; held until they are durable.

	keyspaces keyspaces
	onDrop    func() // Set by tests: a keyspace's record is gone, its keys are not.

	mu     sync.Mutex // guards what follows
	closed bool
	active int           // Operations in Badger.
	idle   chan struct{} // Closed by the last of them after Close.
}

var _ buffer.Backend = (*Backend)(nil)

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

// damaged is the error of files that cannot be used at all.
func damaged(dir string, err error) error {
	return kalam.Wrap(kalam.CodeCorrupt, err,
		"data directory %s is damaged; keep its files and restore it from a backup",
		dir)
}

// isNoSpace reports whether the error is that of a full disk. Badger wraps
// errors as text, so errors.Is does not find it.
func isNoSpace(err error) bool {
	return err != nil && (noSpace(err) || strings.Contains(err.Error(), noSpaceText))
}

// enter keeps Badger open until leave: a closed one panics.
func (b *Backend) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return kalam.Errorf(kalam.CodeShuttingDown, "the write buffer is closed")
	}
	b.active++
	return nil
}

func (b *Backend) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active--
	if b.closed && b.active == 0 {
		close(b.idle)
	}
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

// Put implements buffer.Backend.
func (b *Backend) Put(ctx context.Context, keyspace string, key, value []byte) error {
	return b.Apply(ctx, []buffer.Op{{Keyspace: keyspace, Key: key, Value: value}})
}

// Delete implements buffer.Backend.
func (b *Backend) Delete(ctx context.Context, keyspace string, key []byte) error {
	return b.Apply(ctx, []buffer.Op{{Keyspace: keyspace, Key: key, Delete: true}})
}

// MaxBatch implements buffer.Backend.
func (b *Backend) MaxBatch() buffer.Limits { return b.limits }

// Apply implements buffer.Backend. A canceled ctx refuses the batch at the start
// and does not end it later.
func (b *Backend) Apply(ctx context.Context, ops []buffer.Op) error {
	if err := b.limits.Check(ops); err != nil {
		return err
	}
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	stored := make([]storedOp, len(ops))
	last := make(map[string]int, len(ops)) // Of two ops on a key the later counts.
	for i := range ops {
		key, err := b.keyspaces.key(ops[i].Keyspace, ops[i].Key)
		if err != nil {
			return err
		}
		if len(ops[i].Key) == 0 {
			return fmt.Errorf("%w: empty key", buffer.ErrBatchFailed)
		}
		stored[i] = storedOp{key: key, value: ops[i].Value, remove: ops[i].Delete, bulk: ops[i].Bulk}
		last[string(key)] = i
	}
	if len(last) < len(stored) {
		kept := stored[:0]
		for i, op := range stored {
			if last[string(op.key)] == i {
				kept = append(kept, op)
			}
		}
		stored = kept
	}
	return b.write(stored)
}

// storedOp is an op with the key as Badger has it.
type storedOp struct {
	key    []byte
	value  []byte
	remove bool
	bulk   bool
}

// write makes ops durable, all or none.
func (b *Backend) write(ops []storedOp) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.writeLocked(ops)
}

// writeLocked is write. The caller holds writing.
func (b *Backend) writeLocked(ops []storedOp) error {
	log, values := b.sizeOf(ops)
	if err := b.writable(ops, log, values); err != nil {
		return err
	}
	pointers, err := b.writeLarge(ops)
	if err != nil {
		return err
	}
	txn := b.db.NewTransaction(true)
	defer txn.Discard()
	for i := range ops {
		if err := b.setOne(txn, &ops[i], pointers[i]); err != nil {
			return batchError(err)
		}
	}
	if err := b.commit(txn); err != nil {
		return err
	}
	if err := b.room.wrote(log); err != nil { // What was committed stays so.
		b.fail(err)
	}
	for i := range ops {
		if ops[i].remove && ops[i].key[0] != keyPadding && ops[i].key[0] != keyFirst {
			b.removed.Add(1)
		}
		if p := pointers[i]; p != nil {
			b.large.refer(string(ops[i].key), *p)
		} else {
			b.large.forget(string(ops[i].key))
		}
	}
	b.large.endObsolete(false)
	return nil
}

// writeLarge makes the large values durable and returns where they are, nil for
// the others.
func (b *Backend) writeLarge(ops []storedOp) ([]*pointer, error) {
	at := make([]*pointer, len(ops))
	var values [][]byte
	var which []int
	for i := range ops {
		if !ops[i].remove && int64(len(ops[i].value)) >= b.limits.Large {
			values, which = append(values, ops[i].value), append(which, i)
		}
	}
	if len(values) == 0 {
		return at, nil
	}
	found, err := b.large.append(values)
	if isNoSpace(err) {
		return nil, kalam.Wrap(kalam.CodeResourceExhausted, err, "the disk of the write buffer is full")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: write large values: %w", buffer.ErrBatchFailed, err)
	}
	for k, i := range which {
		at[i] = &found[k]
	}
	return at, nil
}

// setOne puts one op into a transaction: the key, and beside it, for a start to
// find them quickly, the reference of a large value.
func (b *Backend) setOne(txn *badger.Txn, op *storedOp, at *pointer) error {
	if at != nil {
		value := at.encode()
		err := txn.SetEntry(badger.NewEntry(op.key, value).WithMeta(metaLarge))
		return errors.Join(err, txn.Set(referenceKey(op.key), value))
	}
	if b.large.refers(op.key) {
		if err := txn.Delete(referenceKey(op.key)); err != nil {
			return err
		}
	}
	if op.remove {
		return txn.Delete(op.key)
	}
	return txn.Set(op.key, op.value)
}

func errFailed() error {
	return kalam.Errorf(kalam.CodeInternal,
		"the disk of the write buffer failed; nothing is written until the server is started again")
}

// writable refuses a batch that cannot be written: after a failed sync, and when the
// disk is nearly full. Batches without bulk are how space is given back: they are
// refused only where Badger itself has no room for them.
func (b *Backend) writable(ops []storedOp, log, values int64) error {
	if b.failed.Load() {
		return errFailed()
	}
	free, known := b.space.free(b.dir, log+values)
	if !known {
		return nil
	}
	if need := b.reserve(); need > 0 && free-values < need && hasBulk(ops) {
		return errFull(free, need+values)
	}
	return b.room.check(log, free)
}

func hasBulk(ops []storedOp) bool {
	return slices.ContainsFunc(ops, func(op storedOp) bool { return op.bulk && !op.remove })
}

// commit commits a transaction and, unless relaxed, makes it durable. The caller
// holds writing.
func (b *Backend) commit(txn *badger.Txn) error {
	err := txn.Commit()
	switch {
	case errors.Is(err, badger.ErrTxnTooBig):
		return batchError(err)
	case isNoSpace(err):
		// Badger could not begin its next log, and would end the process over the next
		// transaction. It does not happen where the log is made before.
		b.fail(err)
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "the disk of the write buffer is full")
	}
	if err == nil && !b.opts.Relaxed {
		err = b.logs.sync(b.room.placed)
	}
	if err == nil {
		return nil
	}
	b.fail(err)
	return batchError(err)
}

// fail ends the writing. After a failed sync, be it for want of space, the system
// may have forgotten what it could not write, and a later sync would succeed.
func (b *Backend) fail(err error) {
	b.failed.Store(true)
	b.log.Error("the write buffer cannot write; it takes nothing more until the next start",
		"directory", b.dir, "error", err)
}

func batchError(err error) error {
	if errors.Is(err, badger.ErrTxnTooBig) {
		return fmt.Errorf("%w: %w", buffer.ErrNotSupported, err)
	}
	return fmt.Errorf("%w: %w", buffer.ErrBatchFailed, err)
}

// syncLoop makes relaxed writes durable in short intervals.
func (b *Backend) syncLoop() {
	defer b.work.Done()
	ticker := time.NewTicker(relaxedSync)
	defer ticker.Stop()
	for {
		select {
		case <-b.quit:
			return
		case <-ticker.C:
		}
		b.writing.Lock()
		if !b.failed.Load() {
			if err := b.syncLogs(); err != nil {
				b.fail(err)
			}
		}
		b.writing.Unlock()
	}
}

// Sync returns when everything that was written before is on disk. Only a relaxed
// Backend has anything to wait for. Files may be removed after it that the
// committed state names no more: a power cut cannot bring the older state back.
func (b *Backend) Sync(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.failed.Load() {
		return errFailed()
	}
	if !b.opts.Relaxed {
		return nil
	}
	if err := b.syncLogs(); err != nil {
		b.fail(err)
		return fmt.Errorf("sync the write buffer: %w", err)
	}
	return nil
}

// syncLogs makes every commit so far durable. Badger's Sync would leave out a log
// that is full and whose table is not on disk yet. The caller holds writing.
func (b *Backend) syncLogs() error {
	if syncsItself {
		return b.logs.sync(b.room.placed)
	}
	return b.db.Sync()
}

// diskSize returns the bytes of the directory's files, sparse ones at what they
// hold at most.
func (b *Backend) diskSize() int64 {
	var total int64
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := os.Lstat(filepath.Join(b.dir, e.Name())); err == nil {
			total += info.Size()
		}
	}
	return total
}
