package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam"
)

// seals make a file what it is for good.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL

// Write returns a file of memory that holds rec, in Arrow's file format without
// compression. The caller closes it. CodeResourceExhausted when there is no memory.
func Write(rec arrow.RecordBatch) (_ *os.File, err error) {
	fd, err := unix.MemfdCreate("kalam-batch", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeResourceExhausted, err, "no memory for a batch of rows that queries share")
	}
	f := os.NewFile(uintptr(fd), "kalam-batch")
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(rec.Schema()))
	if err != nil {
		return nil, fmt.Errorf("share a batch: %w", err)
	}
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		return nil, fmt.Errorf("share a batch: %w", err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal a batch: %w", err)
	}
	return f, nil
}

// Mapped is a batch in shared memory. Not safe for concurrent Close.
type Mapped struct {
	rec    arrow.RecordBatch
	memory []byte
}

// mappedBytes counts what is mapped in this process, for tests and statistics.
var mappedBytes atomic.Int64

// MappedBytes returns how many bytes are mapped in this process.
func MappedBytes() int64 { return mappedBytes.Load() }

// Map maps a file of Write, which may be closed afterwards. A file that is not sealed or
// holds anything but one batch is refused: it could change, or fault, under the reader.
func Map(f *os.File) (_ *Mapped, err error) {
	have, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || have&seals != seals {
		return nil, errors.Join(kalam.Errorf(kalam.CodeInternal, "a shared batch is not sealed"), err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("map a batch: %w", err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map a batch: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Munmap(b))
		}
	}()
	// Of the readers of Arrow this one leaves the values where they are.
	r, err := ipc.NewMappedFileReader(b)
	if err != nil {
		return nil, fmt.Errorf("read a shared batch: %w", err)
	}
	if n := r.NumRecords(); n != 1 {
		return nil, kalam.Errorf(kalam.CodeInternal, "a shared batch holds %d batches", n)
	}
	rec, err := r.RecordBatch(0)
	if err != nil {
		return nil, fmt.Errorf("read a shared batch: %w", err)
	}
	mappedBytes.Add(int64(len(b)))
	return &Mapped{rec: rec, memory: b}, nil
}

// Record returns the batch. It is valid until Close.
func (m *Mapped) Record() arrow.RecordBatch { return m.rec }

// Bytes returns the size of the mapping.
func (m *Mapped) Bytes() int64 { return int64(len(m.memory)) }

// Close ends the mapping. It may be called more than once.
func (m *Mapped) Close() error {
	if m.memory == nil {
		return nil
	}
	m.rec.Release()
	b := m.memory
	m.rec, m.memory = nil, nil
	mappedBytes.Add(-int64(len(b)))
	return unix.Munmap(b)
}
