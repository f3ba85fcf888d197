package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Large values lie in files of their own, one after the other, and Badger has
// where: a compaction then moves 24 bytes, not the value, and the space of a
// value is given back when it is deleted, not when Badger happens to compact.
// Badger's own value log is not used: its space comes back by chance only, its
// failed syncs are not reported, and a damaged byte in it loses what follows.
//
// A value is synced before the transaction that refers to it is written, so a
// crash leaves at most bytes that nothing refers to. A start never writes to an
// old file, and removes those that nothing refers to.
const (
	largeSuffix    = ".large"
	largeFileBytes = 64 << 20
	pointerBytes   = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pointer is where a large value lies.
type pointer struct {
	file   uint64
	offset int64
	length uint32
	sum    uint32 // CRC-32C of the value.
}

func (p pointer) encode() []byte {
	b := make([]byte, 0, pointerBytes)
	b = binary.BigEndian.AppendUint64(b, p.file)
	b = binary.BigEndian.AppendUint64(b, uint64(p.offset))
	b = binary.BigEndian.AppendUint32(b, p.length)
	return binary.BigEndian.AppendUint32(b, p.sum)
}

func decodePointer(b []byte) (pointer, error) {
	if len(b) != pointerBytes {
		return pointer{}, fmt.Errorf("pointer of %d bytes", len(b))
	}
	return pointer{
		file: binary.BigEndian.Uint64(b), offset: int64(binary.BigEndian.Uint64(b[8:])),
		length: binary.BigEndian.Uint32(b[16:]), sum: binary.BigEndian.Uint32(b[20:]),
	}, nil
}

// largeFile is a file of large values.
type largeFile struct {
	id   uint64
	file *os.File
	size int64
	live int64  // Bytes that are referred to.
	gone uint64 // Epoch in which the last reference went.
}

// largeValues are the files of large values of a directory.
type largeValues struct {
	dir      string
	removing sync.WaitGroup // Removals of files.

	mu       sync.Mutex // guards what follows
	files    map[uint64]*largeFile
	live     map[string]pointer // By stored key.
	current  *largeFile         // Is appended to; nil before the first value.
	last     uint64             // Highest id.
	obsolete []*largeFile       // Wait for the readers that may still refer to them.
	epoch    uint64             // Rises when a file is obsolete.
	readers  map[uint64]int     // Running reads by the epoch they began in.
}

// open opens the files that the references need and removes the others.
func (l *largeValues) open(dir string, live map[string]pointer) error {
	l.dir, l.live = dir, live
	l.files, l.readers = map[uint64]*largeFile{}, map[uint64]int{}
	used := map[uint64]int64{}
	for _, p := range live {
		used[p.file] += int64(p.length)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, ok := strings.CutSuffix(e.Name(), largeSuffix)
		id, err := strconv.ParseUint(number, 16, 64)
		if !ok || err != nil {
			continue
		}
		l.last = max(l.last, id)
		name := filepath.Join(dir, e.Name())
		if used[id] == 0 {
			if err := os.Remove(name); err != nil {
				return errors.Join(err, l.close())
			}
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return errors.Join(err, l.close())
		}
		info, err := f.Stat()
		if err != nil {
			return errors.Join(err, f.Close(), l.close())
		}
		l.files[id] = &largeFile{id: id, file: f, size: info.Size(), live: used[id]}
	}
	for id := range used { // A number is never used again, whatever became of its file.
		l.last = max(l.last, id)
	}
	return nil
}

func largeName(id uint64) string { return fmt.Sprintf("%016x%s", id, largeSuffix) }

// append writes values and makes them durable. Nothing refers to them yet. Only
// one append runs at a time.
func (l *largeValues) append(values [][]byte) ([]pointer, error) {
	if err := l.startFile(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	f := l.current
	at := f.size
	l.mu.Unlock()
	out := make([]pointer, len(values))
	end := at
	var err error
	for i, v := range values {
		out[i] = pointer{file: f.id, offset: end, length: uint32(len(v)), sum: crc32.Checksum(v, castagnoli)}
		if _, err = f.file.WriteAt(v, end); err != nil {
			break
		}
		end += int64(len(v))
	}
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil { // What is in the file from here on is not known: no more goes there.
		l.mu.Lock()
		l.current = nil
		l.mu.Unlock()
		return nil, errors.Join(err, l.abandon(f, at))
	}
	l.mu.Lock()
	f.size = end
	l.mu.Unlock()
	return out, nil
}

// startFile begins a new file when there is none, or the current one is full.
func (l *largeValues) startFile() error {
	l.mu.Lock()
	full := l.current != nil && l.current.size >= largeFileBytes
	if l.current != nil && !full {
		l.mu.Unlock()
		return nil
	}
	old := l.current
	l.current = nil
	l.last++
	id := l.last
	l.mu.Unlock()
	if old != nil {
		l.sweep(old)
	}
	file, err := os.OpenFile(filepath.Join(l.dir, largeName(id)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := syncFolder(l.dir); err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = &largeFile{id: id, file: file}
	l.files[id] = l.current
	return nil
}

// abandon gives back the space of a failed append, and the file when nothing
// refers to it.
func (l *largeValues) abandon(f *largeFile, size int64) error {
	err := f.file.Truncate(size)
	l.sweep(f)
	return err
}

// refer notes that the value of key lies at p from now on; it returns nothing of
// the value that lay elsewhere before.
func (l *largeValues) refer(key string, p pointer) {
	l.mu.Lock()
	old, had := l.live[key]
	l.live[key] = p
	l.files[p.file].live += int64(p.length)
	l.mu.Unlock()
	if had {
		l.unref(old)
	}
}

// forget notes that key has no large value any more.
func (l *largeValues) forget(key string) {
	l.mu.Lock()
	old, had := l.live[key]
	delete(l.live, key)
	l.mu.Unlock()
	if had {
		l.unref(old)
	}
}

func (l *largeValues) unref(p pointer) {
	l.mu.Lock()
	f := l.files[p.file]
	if f != nil {
		f.live -= int64(p.length)
	}
	l.mu.Unlock()
	if f != nil {
		l.sweep(f)
	}
}

// mostLeft is the size from which a file that is written to is given up when nothing
// in it is referred to any more.
const mostLeft = 1 << 20

// endObsolete ends the writing to a file of which nothing is left, or, when there is no room
// for it, the smaller part. Nothing may be appended at the moment.
func (l *largeValues) endObsolete(sparse bool) {
	l.mu.Lock()
	f := l.current
	if f == nil || f.size < mostLeft || f.live > 0 && !(sparse && f.live*2 < f.size) {
		l.mu.Unlock()
		return
	}
	l.current = nil
	l.mu.Unlock()
	l.sweep(f)
}

// endFile ends the writing to a file some of whose values are not referred to any more.
// Nothing may be appended at the moment.
func (l *largeValues) endFile() {
	l.mu.Lock()
	f := l.current
	if f == nil || f.live == f.size {
		l.mu.Unlock()
		return
	}
	l.current = nil
	l.mu.Unlock()
	l.sweep(f)
}

// refers reports whether key has a large value. Only the writer asks.
func (l *largeValues) refers(key []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.live[string(key)]
	return ok
}

// sweep notes f as obsolete if nothing refers to it, and removes obsolete files that no reader
// can refer to. A file that cannot be removed is removed by the next start.
func (l *largeValues) sweep(f *largeFile) {
	l.mu.Lock()
	if f != nil && f.live == 0 && f != l.current && l.files[f.id] == f {
		delete(l.files, f.id)
		f.gone = l.epoch
		l.epoch++
		l.obsolete = append(l.obsolete, f)
	}
	oldest := l.epoch
	for e := range l.readers {
		oldest = min(oldest, e)
	}
	var dead []*largeFile
	kept := l.obsolete[:0]
	for _, d := range l.obsolete {
		if d.gone < oldest {
			dead = append(dead, d)
		} else {
			kept = append(kept, d)
		}
	}
	l.obsolete = kept
	l.mu.Unlock()
	if len(dead) > 0 {
		// Giving back the space of a file can take the system many milliseconds, for
		// which no writer must wait.
		l.removing.Go(func() {
			for _, d := range dead {
				_ = d.file.Close()           // It was only read since its last sync.
				_ = os.Remove(d.file.Name()) // The next start tries again.
			}
		})
	}
}

// begin notes a reader, which may follow the pointers it finds until end.
func (l *largeValues) begin() (epoch uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers[l.epoch]++
	return l.epoch
}

func (l *largeValues) end(epoch uint64) {
	l.mu.Lock()
	l.readers[epoch]--
	last := l.readers[epoch] == 0
	if last {
		delete(l.readers, epoch)
	}
	sweep := last && len(l.obsolete) > 0
	l.mu.Unlock()
	if sweep {
		l.sweep(nil)
	}
}

// read reads the value at p into buf, which may grow.
func (l *largeValues) read(p pointer, buf []byte) ([]byte, error) {
	l.mu.Lock()
	f := l.files[p.file]
	for i := 0; f == nil && i < len(l.obsolete); i++ {
		if l.obsolete[i].id == p.file {
			f = l.obsolete[i]
		}
	}
	l.mu.Unlock()
	if f == nil {
		return nil, fmt.Errorf("file %s is missing", largeName(p.file))
	}
	if cap(buf) < int(p.length) {
		buf = make([]byte, p.length)
	}
	buf = buf[:p.length]
	if _, err := f.file.ReadAt(buf, p.offset); err != nil {
		return nil, fmt.Errorf("read %s: %w", largeName(p.file), err)
	}
	if crc32.Checksum(buf, castagnoli) != p.sum {
		return nil, fmt.Errorf("%s, offset %d: checksum does not match", largeName(p.file), p.offset)
	}
	return buf, nil
}

// sparse returns, of the files that are not written to any more, the keys whose
// values take the smaller part, most bytes at a time.
func (l *largeValues) sparse(most int64) []string {
	return l.keysOf(most, func(f *largeFile) bool { return f.live*2 < f.size })
}

// stale is sparse for all files that hold anything else than values in use.
func (l *largeValues) stale(most int64) []string {
	return l.keysOf(most, func(f *largeFile) bool { return f.live < f.size })
}

// keysOf returns the keys of the values in files that are wanted and not written to, most
// bytes at a time.
func (l *largeValues) keysOf(most int64, wanted func(*largeFile) bool) (keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var total int64
	for key, p := range l.live {
		f := l.files[p.file]
		if f == nil || f == l.current || !wanted(f) {
			continue
		}
		if total += int64(p.length); total > most && len(keys) > 0 {
			return keys
		}
		keys = append(keys, key)
	}
	return keys
}

// pointerOf returns where the value of key lies.
func (l *largeValues) pointerOf(key string) (pointer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.live[key]
	return p, ok
}

// close closes the files. No reader may be left.
func (l *largeValues) close() error {
	l.removing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.file.Close())
	}
	for _, f := range l.obsolete {
		errs = append(errs, f.file.Close(), os.Remove(f.file.Name()))
	}
	l.files, l.obsolete, l.current = nil, nil, nil
	return errors.Join(errs...)
}
