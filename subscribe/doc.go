// Package subscribe delivers committed changes to live queries. It knows no
// socket and no SQL engine: the write buffer publishes changes to a Hub, the
// engine registers subscriptions, and whoever holds a Subscription reads its
// events.
//
// # Basics
//
// A Hub keeps subscriptions by scope. Register makes one; its owner then takes a
// snapshot at some seq S, sends it, and calls Activate(S): from then on Events
// yields every matching change with a seq above S, in commit order. Which changes
// match is decided by a Filter, compiled from a neutral expression tree with the
// semantics of DuckDB, or, for what Compile does not cover, by an Evaluator.
//
// # Guarantees
//
// Publish never blocks and never fails: it hands copies of the changes to
// goroutines that match and queue them. Changes of scopes without subscriptions
// cost one map lookup. Subscriptions of one scope with equal filters are matched
// once, and the event they get is one shared, immutable value.
//
// No change is lost or doubled between snapshot and events, provided that a
// commit is visible to snapshots before Interested is asked about it and before it
// is published, and that Publish is called in commit order. Then a change is
// either published after Register, and so queued, or visible to every snapshot
// taken after Register.
//
// Nothing is skipped silently. A subscription whose queue is over its limit when
// more comes ends with ErrSlow, after which its owner resumes from the last seq it
// has seen. The limit is checked per delivery, not per event, so that one large
// transaction does not end a subscription whose reader keeps up. A filter that
// fails ends the subscription with its error.
//
// # Caveats
//
// Every goroutine belongs to the Hub and lives only while there is something to
// do; Close waits for them. An event's slices are shared by all who receive it and
// must not be changed.
package subscribe
