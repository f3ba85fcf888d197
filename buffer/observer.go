package buffer

import "time"

// Observer is told what writes cost. Its methods are called on the path of every write, from several goroutines and
// under no lock: they are fast, and never block.
type Observer interface {
	// Committed tells how long a write took that succeeded: from Apply until its rows were durable and visible, with what
	// it waited for room in the buffer and for others.
	Committed(took time.Duration)
	// Synced tells that a batch of some requests with their row versions was made durable, and how long the backend took
	// for it. A batch of flushes and the like has no row versions.
	Synced(requests, rows int, took time.Duration)
}

// unobserved is the Observer of a store that has none.
type unobserved struct{}

func (unobserved) Committed(time.Duration) {}

func (unobserved) Synced(int, int, time.Duration) {}
