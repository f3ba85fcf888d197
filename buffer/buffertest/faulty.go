package buffertest

import (
	"context"
	"sync"
	"syscall"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Faulty is a Backend whose writes fail when told to. The zero value of its
// options changes nothing. It is safe for concurrent use.
type Faulty struct {
	buffer.Backend
	// Limits replace those of the Backend when Ops is not 0; the Backend must take
	// what they allow.
	Limits buffer.Limits

	mu    sync.Mutex // guards what follows
	step  int        // Batches begun.
	fails Verdict
}

// Verdict decides over a batch, of which it gets the number, from 0, and the
// ops: it fails with err. With written it is written all the same, as by a sync
// that failed.
type Verdict func(step int, ops []buffer.Op) (written bool, err error)

// Fail sets what decides over every batch from now on; nil lets everything pass.
// The count begins again. A Verdict must not call the Faulty.
func (f *Faulty) Fail(v Verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.step, f.fails = 0, v
}

// FailAt returns a Verdict that fails the batch with the number step, and all
// later ones without writing them.
func FailAt(step int, written bool, err error) Verdict {
	return func(n int, _ []buffer.Op) (bool, error) {
		if n < step {
			return true, nil
		}
		return written && n == step, err
	}
}

// Steps returns the number of batches since the last call of Fail.
func (f *Faulty) Steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.step
}

// DiskFull is the error of a full disk as Backends report it.
func DiskFull() error {
	return kalam.Wrap(kalam.CodeResourceExhausted, syscall.ENOSPC, "the disk is full")
}

// decide counts a batch and says what becomes of it.
func (f *Faulty) decide(ops []buffer.Op) (written bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	step := f.step
	f.step++
	if f.fails == nil {
		return true, nil
	}
	return f.fails(step, ops)
}

// MaxBatch implements buffer.Backend.
func (f *Faulty) MaxBatch() buffer.Limits {
	if f.Limits.Ops != 0 {
		return f.Limits
	}
	return f.Backend.MaxBatch()
}

// Apply implements buffer.Backend.
func (f *Faulty) Apply(ctx context.Context, ops []buffer.Op) error {
	if err := f.MaxBatch().Check(ops); err != nil {
		return err
	}
	written, err := f.decide(ops)
	if err != nil && !written {
		return err
	}
	if failed := f.Backend.Apply(ctx, ops); failed != nil {
		return failed
	}
	return err
}
