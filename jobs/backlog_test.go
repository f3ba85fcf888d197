package jobs_test

import (
	"slices"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
)

// backlog is buffered rows in memory: jobs.BacklogCounters and jobs.BacklogMarks.
type backlog struct {
	mu      sync.Mutex // guards the fields below
	rows    map[kalam.TableNumber][]kalam.Seq
	rowSize int64
	marks   map[kalam.TableNumber]int64 // Absent of a table with rows: none.
	heavy   map[kalam.TableNumber]int64 // Marks in bytes; 0: none.
	mark    int64
	reached []kalam.TableNumber
	grown   chan struct{}
	last    kalam.Seq
}

func newBacklog() *backlog {
	return &backlog{
		rows: map[kalam.TableNumber][]kalam.Seq{}, rowSize: 1, marks: map[kalam.TableNumber]int64{},
		heavy: map[kalam.TableNumber]int64{},
		grown: make(chan struct{}, 1),
	}
}

// write buffers rows of a table at a time.
func (b *backlog) write(n kalam.TableNumber, rows int, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rows[n]) == 0 {
		b.marks[n] = 1
	}
	for range rows {
		b.last = max(b.last+1, kalam.SeqAt(at))
		b.rows[n] = append(b.rows[n], b.last)
	}
	b.checkLocked(n)
}

func (b *backlog) checkLocked(n kalam.TableNumber) {
	rows := int64(len(b.rows[n]))
	mark, ok := b.marks[n]
	heavy := b.heavy[n]
	if rows > 0 && (ok && rows >= mark || heavy > 0 && rows*b.rowSize >= heavy) {
		delete(b.marks, n)
		delete(b.heavy, n)
		b.reached = append(b.reached, n)
		b.tellLocked()
	}
	if b.mark > 0 && b.bytesLocked() >= b.mark {
		b.mark = 0
		b.tellLocked()
	}
}

func (b *backlog) tellLocked() {
	select {
	case b.grown <- struct{}{}:
	default:
	}
}

// flush takes the rows up to a seq and returns how many there were.
func (b *backlog) flush(n kalam.TableNumber, upTo kalam.Seq) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, found := slices.BinarySearch(b.rows[n], upTo)
	if found {
		i++
	}
	b.rows[n] = b.rows[n][i:]
	return i
}

// newest returns the seq of the newest row of a table.
func (b *backlog) newest(n kalam.TableNumber) kalam.Seq {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rows[n]) == 0 {
		return 0
	}
	return b.rows[n][len(b.rows[n])-1]
}

// restart makes the backlog as a new process finds it.
func (b *backlog) restart() {
	clear(b.marks)
	b.mark, b.reached = 0, nil
	for n, rows := range b.rows {
		if len(rows) > 0 {
			b.reached = append(b.reached, n)
		}
	}
	b.tellLocked()
}

func (b *backlog) bytesLocked() (sum int64) {
	for _, rows := range b.rows {
		sum += int64(len(rows)) * b.rowSize
	}
	return sum
}

func (b *backlog) TableStats(n kalam.TableNumber) (rows, bytes int64, oldest kalam.Seq) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if list := b.rows[n]; len(list) > 0 {
		return int64(len(list)), int64(len(list)) * b.rowSize, list[0]
	}
	return 0, 0, 0
}

func (b *backlog) BufferedTables() map[kalam.TableNumber]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[kalam.TableNumber]int64{}
	for n, rows := range b.rows {
		if len(rows) > 0 {
			out[n] = int64(len(rows)) * b.rowSize
		}
	}
	return out
}

func (b *backlog) BufferedBytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytesLocked()
}

func (b *backlog) Grown() <-chan struct{} { return b.grown }

func (b *backlog) TakeGrown() []kalam.TableNumber {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.reached
	b.reached = nil
	return out
}

func (b *backlog) Mark(n kalam.TableNumber, rows, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.marks, n)
	b.heavy[n] = bytes
	if rows > 0 && len(b.rows[n]) > 0 {
		b.marks[n] = rows
	}
	b.checkLocked(n)
}

func (b *backlog) MarkBytes(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark = bytes
	if bytes > 0 && b.bytesLocked() >= bytes {
		b.mark = 0
		b.tellLocked()
	}
}
