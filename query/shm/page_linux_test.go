package shm_test

import (
	"errors"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam/query/shm"
)

// newPage returns a page and the view of it, as in another process.
func newPage(t *testing.T, size int) (*shm.Page, *shm.View) {
	t.Helper()
	page, err := shm.NewPage(size)
	if err != nil {
		t.Fatal(err)
	}
	view, err := shm.MapPage(page.File())
	if err != nil {
		t.Fatal(err)
	}
	return page, view
}

// TestPage puts batches into one page, each when the one before is free.
func TestPage(t *testing.T) {
	page, view := newPage(t, 1<<20)
	defer page.Close()
	for _, n := range []int{2048, 1, 0, 700} {
		rec := batch(t, n)
		size, err := page.Put(rec)
		if err != nil {
			t.Fatal(err)
		}
		freed := 0
		got, err := view.Batch(size, func() { freed++ })
		if err != nil {
			t.Fatal(err)
		}
		if !array.RecordEqual(rec, got) || !rec.Schema().Equal(got.Schema()) {
			t.Errorf("%d rows are not those that were put: %v", n, got.Schema())
		}
		part := got.NewSlice(0, int64(n/2))
		got.Release()
		if freed != 0 && part.NumRows() > 0 {
			t.Errorf("a batch of %d rows is free while a part of it is used", n)
		}
		part.Release()
		if freed != 1 {
			t.Errorf("a batch of %d rows was given back %d times", n, freed)
		}
		rec.Release()
	}
	if err := view.Close(); err != nil {
		t.Error(err)
	}
	if n := shm.MappedBytes(); n != 0 {
		t.Errorf("%d bytes are counted after Close", n)
	}
}

// TestPageClosed closes a view of which a batch is in use, which stays what it is.
func TestPageClosed(t *testing.T) {
	page, view := newPage(t, 1<<20)
	rec := batch(t, 100)
	defer rec.Release()
	size, err := page.Put(rec)
	if err != nil {
		t.Fatal(err)
	}
	freed := 0
	got, err := view.Batch(size, func() { freed++ })
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(page.Close(), view.Close()); err != nil {
		t.Fatal(err)
	}
	if !array.RecordEqual(rec, got) {
		t.Error("a batch changed when its page was closed")
	}
	if _, err := view.Batch(size, func() { freed++ }); err == nil {
		t.Error("a closed view gave a batch")
	}
	got.Release()
	if n := shm.MappedBytes(); n != 0 || freed != 1 {
		t.Errorf("%d bytes are counted after the last batch, which was given back %d times", n, freed)
	}
}

// TestPageFull puts what does not fit, and reads what was not put.
func TestPageFull(t *testing.T) {
	page, view := newPage(t, 4096)
	defer page.Close()
	defer view.Close()
	large, small := batch(t, 2048), batch(t, 1)
	defer large.Release()
	defer small.Release()
	if _, err := page.Put(large); !errors.Is(err, shm.ErrFull) {
		t.Errorf("a batch of 2,048 rows in 4,096 bytes: %v", err)
	}
	size, err := page.Put(small)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 0, 10, size - 1, size + 1, 4096, 4097, 1 << 40} {
		if rec, err := view.Batch(n, func() { t.Error("what is no batch was given back") }); err == nil {
			t.Errorf("%d of %d bytes are a batch: %v", n, size, rec)
		}
	}
}

// TestPageSealed tries to change a page through its file, and to map what could change.
func TestPageSealed(t *testing.T) {
	page, err := shm.NewPage(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	f := page.File()
	if _, err := f.WriteAt([]byte("x"), 10); err == nil {
		t.Error("a page can be written by who has its file")
	}
	if err := errors.Join(f.Truncate(1), f.Truncate(1<<20)); err == nil {
		t.Error("a page can be cut or made longer")
	}
	if b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
		t.Errorf("a page can be mapped for writing: %v", unix.Munmap(b))
	}
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	open := os.NewFile(uintptr(fd), "test")
	defer open.Close()
	if err := open.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := shm.MapPage(open); err == nil {
		t.Error("a file that others can change is taken for a page")
	}
}
