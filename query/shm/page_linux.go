package shm

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam"
)

// pageSeals leave a page to the mapping of who made it.
const pageSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL

// ErrFull says that a batch is larger than its page.
var ErrFull = errors.New("a batch is larger than its page")

// Page is memory for one batch after the other, each of which another process has read
// before the next is put. For one goroutine.
type Page struct {
	file   *os.File
	memory []byte
}

// NewPage returns a page of size bytes, of which those are taken that are written. The caller
// closes it. CodeResourceExhausted when there is no memory.
func NewPage(size int) (_ *Page, err error) {
	fd, err := unix.MemfdCreate("kalam-page", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeResourceExhausted, err, "no memory for rows that are written to a file")
	}
	p := &Page{file: os.NewFile(uintptr(fd), "kalam-page")}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, fmt.Errorf("make a page of %d bytes: %w", size, err)
	}
	p.memory, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map a page of %d bytes: %w", size, err)
	}
	if _, err := unix.FcntlInt(p.file.Fd(), unix.F_ADD_SEALS, pageSeals); err != nil {
		return nil, fmt.Errorf("seal a page: %w", err)
	}
	return p, nil
}

// File returns the file of the page, which stays the page's.
func (p *Page) File() *os.File { return p.file }

// Put writes rec in the place of what the page held and returns how many bytes it takes. After
// an error, of which ErrFull is one, the page holds nothing.
func (p *Page) Put(rec arrow.RecordBatch) (int, error) {
	f := &filler{memory: p.memory}
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(rec.Schema()))
	if err == nil {
		err = errors.Join(w.Write(rec), w.Close())
	}
	switch {
	case f.full:
		return 0, ErrFull
	case err != nil:
		return 0, fmt.Errorf("share a batch: %w", err)
	}
	return f.n, nil
}

// Close gives the memory back as soon as no other process maps it. It may be called once.
func (p *Page) Close() error {
	err := p.file.Close()
	if p.memory != nil {
		err = errors.Join(err, unix.Munmap(p.memory))
	}
	return err
}

// filler writes into memory.
type filler struct {
	memory []byte
	n      int
	full   bool
}

func (f *filler) Write(b []byte) (int, error) {
	if f.full = f.full || len(b) > len(f.memory)-f.n; f.full {
		return 0, ErrFull
	}
	f.n += copy(f.memory[f.n:], b)
	return len(b), nil
}

// View is a page of another process. Safe for concurrent use.
type View struct {
	memory []byte

	mu     sync.Mutex // guards what follows
	users  int        // The owner of the view and the batches of it.
	closed bool
}

// MapPage maps the file of a Page, which may be closed afterwards. A file that others than its
// maker could change or shorten is refused.
func MapPage(f *os.File) (*View, error) {
	have, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || have&pageSeals != pageSeals {
		return nil, errors.Join(kalam.Errorf(kalam.CodeInternal, "a shared page is not sealed"), err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("map a page: %w", err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map a page: %w", err)
	}
	mappedBytes.Add(int64(len(b)))
	return &View{memory: b, users: 1}, nil
}

// Batch returns the batch that Put has written in n bytes, where it lies. The caller releases it.
// done is called once, when the batch and all that shares its memory are released: until then the
// maker of the page must not put the next. After an error it is not called.
func (v *View) Batch(n int, done func()) (_ arrow.RecordBatch, err error) {
	u := &uses{view: v, done: done}
	if err := v.enter(); err != nil {
		return nil, err
	}
	u.n.Store(1)
	defer func() {
		if err != nil {
			u.done = func() {}
		}
		u.Free(nil)
	}()
	if n < 0 || n > len(v.memory) {
		return nil, kalam.Errorf(kalam.CodeInternal, "a batch of %d bytes is said to be in a page of %d", n, len(v.memory))
	}
	r, err := ipc.NewMappedFileReader(v.memory[:n])
	if err != nil {
		return nil, fmt.Errorf("read a shared batch: %w", err)
	}
	if n := r.NumRecords(); n != 1 {
		return nil, kalam.Errorf(kalam.CodeInternal, "a page holds %d batches", n)
	}
	rec, err := r.RecordBatch(0)
	if err != nil {
		return nil, fmt.Errorf("read a shared batch: %w", err)
	}
	defer rec.Release()
	cols := make([]arrow.Array, rec.NumCols())
	for i, col := range rec.Columns() {
		d := u.counted(col.Data())
		cols[i] = array.MakeFromData(d)
		d.Release()
		defer cols[i].Release()
	}
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows()), nil
}

// Close ends the mapping as soon as no batch of it is used. It is called once.
func (v *View) Close() error {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	return v.leave()
}

// enter is one user more.
func (v *View) enter() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return kalam.Errorf(kalam.CodeInternal, "a page is used that is closed")
	}
	v.users++
	return nil
}

// leave is one user less.
func (v *View) leave() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.users--
	if v.users > 0 {
		return nil
	}
	mappedBytes.Add(-int64(len(v.memory)))
	return unix.Munmap(v.memory)
}

// uses counts the buffers of a batch that are in use. As their allocator it is told of each that
// is not any more.
type uses struct {
	memory.GoAllocator
	view *View
	n    atomic.Int64
	done func()
}

// Free is told of a buffer.
func (u *uses) Free([]byte) {
	if u.n.Add(-1) == 0 {
		_ = u.view.leave() // A mapping that is one always ends.
		u.done()
	}
}

// counted returns d, whose type has no dictionary, over buffers that are counted.
func (u *uses) counted(d arrow.ArrayData) arrow.ArrayData {
	buffers := make([]*memory.Buffer, len(d.Buffers()))
	for i, b := range d.Buffers() {
		if b != nil {
			u.n.Add(1)
			buffers[i] = memory.NewBufferWithAllocator(b.Bytes(), u)
			defer buffers[i].Release()
		}
	}
	children := make([]arrow.ArrayData, len(d.Children()))
	for i, child := range d.Children() {
		children[i] = u.counted(child)
		defer children[i].Release()
	}
	return array.NewData(d.DataType(), d.Len(), buffers, children, d.NullN(), d.Offset())
}
