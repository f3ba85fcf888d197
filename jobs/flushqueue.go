package jobs

import (
	"container/heap"
	"time"

	"github.com/kalamlake/kalam"
)

// unqueued is the place of a table that is not in the queue.
const unqueued = -1

// scheduled is a table that the FlushScheduler has to think of.
type scheduled struct {
	number  kalam.TableNumber
	oldest  kalam.Seq // Of its rows, and
	since   time.Time // when that was, or was first seen.
	at      time.Time // When it falls due.
	trigger Trigger
	place   int // In the queue.

	job       kalam.JobID // The flush that runs; "" while none does, and only then it is queued.
	submitted kalam.Seq   // The oldest row when that was submitted.
	idle      bool        // The last flush ended well and moved nothing.
	failures  int         // Flushes in a row that failed.
	rowsAgain time.Time   // When the next flush by rows may start.
	notBefore time.Time   // When the next one may be tried.
}

// dueQueue has the table that falls due first at its head.
type dueQueue []*scheduled

// put adds t or moves it to where its time is now.
func (q *dueQueue) put(t *scheduled) {
	if t.place == unqueued {
		heap.Push(q, t)
	} else {
		heap.Fix(q, t.place)
	}
}

// remove takes t out, if it is in.
func (q *dueQueue) remove(t *scheduled) {
	if t.place != unqueued {
		heap.Remove(q, t.place)
	}
}

// Len implements heap.Interface.
func (q dueQueue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q dueQueue) Less(i, j int) bool {
	if n := q[i].at.Compare(q[j].at); n != 0 {
		return n < 0
	}
	return q[i].number < q[j].number
}

// Swap implements heap.Interface.
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *dueQueue) Push(x any) {
	t := x.(*scheduled) // The queue holds nothing else.
	t.place = len(*q)
	*q = append(*q, t)
}

// Pop implements heap.Interface.
func (q *dueQueue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q, t.place = (*q)[:last], unqueued
	return t
}
