// Package subscribe delivers committed changes to live queries. It knows no
// socket and no SQL engine: the write buffer publishes changes to a Hub, the
// engine registers subscriptions, and whoever holds their Outbox reads the events.
//
// # Basics
//
// A Hub keeps subscriptions by scope. Register makes one; its owner then takes a
// snapshot at some seq S, sends it, and calls Activate(S): from then on the Outbox
// yields every matching change with a seq above S, in commit order. Which changes
// match is decided by a Filter, compiled from a neutral expression tree with the
// semantics of DuckDB, or, for what Compile does not cover, by an Evaluator. One
// Outbox, and one goroutine that reads it, serves any number of subscriptions.
//
// # Guarantees
//
// Publish never blocks and never fails: it copies the changes into a queue, from
// which one goroutine matches them in order. Changes of scopes without
// subscriptions cost one map lookup. Subscriptions of one scope with equal filters
// are matched once, and those that show the same columns get one shared Event,
// which keeps its encoded form.
//
// No change is lost or doubled between snapshot and events, provided that a
// commit is visible to snapshots before Interested is asked about it and before it
// is published, and that Publish is called in commit order. Then a change is
// either published after Register, and so queued, or visible to every snapshot
// taken after Register.
//
// Nothing is skipped silently. A subscription whose queue is full when more comes
// ends with ErrSlow, after which its owner resumes from the last seq it has seen.
// The limit is checked per delivery, not per event, so that one large transaction
// does not end a subscription whose reader keeps up. The same happens to all
// subscriptions of a scope whose changes come faster than they can be matched. A
// filter that fails ends the subscription with its error.
//
// # Caveats
//
// Every goroutine belongs to the Hub and lives only while there is something to
// do; Close waits for them. An event's slices are shared by all who receive it and
// must not be changed. A subscription keeps the table's definition of its start:
// who alters a table ends its subscriptions by CloseTable, to start anew.
//
// In exact mode a filter that names _deleted shows tombstones. When such a key is
// inserted again, the tombstone leaves the result without an event, because the
// change does not carry it.
package subscribe
