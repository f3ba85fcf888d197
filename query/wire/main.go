package wire

import "sync/atomic"

// Argument makes a program that calls worker.Main a query worker.
const Argument = "query-worker"

// serves says that this program called worker.Main.
var serves atomic.Bool

// NoteServes notes that this program, started with Argument, is a query worker. A
// program that is none must not be started as one: it would do what it does otherwise.
func NoteServes() { serves.Store(true) }

// Serves reports whether this program can be started as a query worker.
func Serves() bool { return serves.Load() }
