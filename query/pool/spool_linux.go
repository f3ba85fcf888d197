package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

const (
	// spoolMemory is what a result may have in memory before it goes to a file, and
	// spoolAll what all results may have there.
	spoolMemory = 4 << 20
	spoolAll    = 64 << 20
	// spoolUser bounds the files of one user's results, spoolDisk those of all.
	spoolUser = 1 << 30
	spoolDisk = 8 << 30
	// stallFor is how long a result that is full waits for its reader to take something.
	stallFor = 30 * time.Second
)

// spoolBudget counts what results hold.
type spoolBudget struct {
	dir    string // Of the files; "" for none.
	total  atomic.Int64
	memory atomic.Int64 // Of total, what is in memory.
	mu     sync.Mutex   // guards what follows
	disk   int64
	byUser map[kalam.UserID]int64
}

// take asks for n more bytes of a user's files.
func (b *spoolBudget) take(user kalam.UserID, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byUser[user]+n > spoolUser || b.disk+n > spoolDisk {
		return false
	}
	if b.byUser == nil {
		b.byUser = map[kalam.UserID]int64{}
	}
	b.byUser[user] += n
	b.disk += n
	return true
}

func (b *spoolBudget) give(user kalam.UserID, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.disk -= n
	if b.byUser[user] -= n; b.byUser[user] <= 0 {
		delete(b.byUser, user)
	}
}

// spool holds the frames of a result between the worker that computes it and its reader:
// a few in memory, what is more in a file without a name. One goroutine writes, one
// reads.
type spool struct {
	budget *spoolBudget
	user   kalam.UserID

	mu       sync.Mutex // guards what follows
	memory   [][]byte   // Comes before what is in the file.
	held     int64      // Bytes in memory.
	file     *os.File
	lengths  []int // Of the frames in the file.
	from, to int64 // What the file holds of them.
	closed   bool  // Nothing more comes.
	err      error // Why, nil for the end of the result.
	dropped  bool  // Nobody reads.

	more chan struct{} // There is something to read, or nothing will be; capacity 1.
	less chan struct{} // Something was read; capacity 1.
}

func newSpool(b *spoolBudget, user kalam.UserID) *spool {
	return &spool{budget: b, user: user, more: make(chan struct{}, 1), less: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write adds a frame, which it keeps. It waits while the result is full, as long as ctx
// allows.
func (s *spool) write(ctx context.Context, p []byte) error {
	stalled := time.NewTimer(stallFor)
	defer stalled.Stop()
	for {
		ok, err := s.add(p)
		if ok || err != nil {
			signal(s.more)
			return err
		}
		select {
		case <-s.less:
			stalled.Reset(stallFor)
		case <-ctx.Done():
			return query.Canceled(ctx)
		case <-stalled.C:
			return kalam.Errorf(kalam.CodeResourceExhausted,
				"the result is larger than what waits for a reader, and was not read for %s", stallFor)
		}
	}
}

// add adds a frame if there is room.
func (s *spool) add(p []byte) (ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(len(p))
	switch {
	case s.dropped:
		return true, nil
	case len(s.lengths) == 0 && (s.held == 0 || s.held < spoolMemory && s.budget.memory.Load() < spoolAll):
		s.keep(p)
		return true, nil
	case s.budget.dir == "" || !s.budget.take(s.user, n):
		return false, nil
	}
	if s.file == nil {
		if s.file, err = unlinked(s.budget.dir); err != nil {
			s.budget.give(s.user, n)
			return false, err
		}
	}
	if _, err := s.file.WriteAt(p, s.to); err != nil {
		s.budget.give(s.user, n)
		return false, kalam.Wrap(kalam.CodeResourceExhausted, err, "no space left on the disk for the result")
	}
	s.to += n
	s.lengths = append(s.lengths, len(p))
	s.budget.total.Add(n)
	return true, nil
}

// keep adds a frame in memory. s.mu is held.
func (s *spool) keep(p []byte) {
	n := int64(len(p))
	s.memory = append(s.memory, p)
	s.held += n
	s.budget.total.Add(n)
	s.budget.memory.Add(n)
}

// freed notes that n bytes in memory were let go of. s.mu is held.
func (s *spool) freed(n int64) {
	s.held -= n
	s.budget.total.Add(-n)
	s.budget.memory.Add(-n)
}

// unlinked returns a file that has no name any more.
func unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "result-")
	if err != nil {
		return nil, fmt.Errorf("make a file for a result: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink the file of a result: %w", err), f.Close())
	}
	return f, nil
}

// end says that nothing more comes; err says why, nil for the end of the result. What is
// said first counts.
func (s *spool) end(err error) {
	s.mu.Lock()
	if !s.closed {
		s.closed, s.err = true, err
	}
	s.mu.Unlock()
	signal(s.more)
}

// drop lets go of everything: nobody reads any more.
func (s *spool) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = true
	s.freed(s.held)
	s.memory = nil
	s.freeFile()
	signal(s.less)
}

// freeFile lets go of the file. s.mu is held.
func (s *spool) freeFile() {
	if s.file == nil {
		return
	}
	_ = s.file.Close() // It has no name.
	s.budget.give(s.user, s.to)
	s.budget.total.Add(s.from - s.to)
	s.file, s.from, s.to, s.lengths = nil, 0, 0, nil
}

// read returns the next frame, which it waits for as long as ctx allows; io.EOF after the
// last.
func (s *spool) read(ctx context.Context) ([]byte, error) {
	for {
		p, err := s.get()
		if p != nil || err != nil {
			return p, err
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			return nil, query.Canceled(ctx)
		}
	}
}

// get returns the next frame; none and no error when more is to come.
func (s *spool) get() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.memory) > 0 {
		p := s.memory[0]
		s.memory[0] = nil
		s.memory = s.memory[1:]
		s.freed(int64(len(p)))
		signal(s.less)
		return p, nil
	}
	if len(s.lengths) > 0 {
		p := make([]byte, s.lengths[0])
		if _, err := s.file.ReadAt(p, s.from); err != nil {
			return nil, fmt.Errorf("read the file of a result: %w", err)
		}
		s.lengths = s.lengths[1:]
		s.from += int64(len(p))
		s.budget.total.Add(int64(-len(p)))
		if len(s.lengths) == 0 {
			s.freeFile() // It is written anew if the reader falls behind again.
		}
		signal(s.less)
		return p, nil
	}
	switch {
	case !s.closed:
		return nil, nil
	case s.err != nil:
		return nil, s.err
	}
	return nil, io.EOF
}
