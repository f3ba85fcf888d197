// Package buffer is the durable write buffer: a row log per scope over a
// pluggable Backend, the state of the scopes in memory, and the committer that
// makes writes durable in groups.
//
// # Basics
//
// Open starts a Store. Apply commits mutations: all of one call or none, with
// one shared fsync. A ReadPoint is one consistent state of all scopes,
// rows of the lake included. CommitFlush moves rows of a scope from the log to a
// segment; CommitCompaction replaces segments by one; Trim removes rows from the log; EvictBefore removes old rows of a
// STREAM table; DropTable removes everything of a table.
//
// # How a write goes
//
// In the caller's goroutine its scopes are pinned in memory, and keys that could
// lie in a segment are looked up there (apply.go, lookup.go). One goroutine at a
// time is the committer: a caller who finds nobody committing, or a goroutine of
// the Store while there is a queue. It takes what is queued as a group: it checks
// each request against the memtables of its scopes, adds its versions there
// unseen (buffer/memtable), and encodes blocks (commit.go, buffer/rowlog). After one atomic batch of the
// backend the versions are shown, changes are published and callers wake up, in
// commit order. When the batch fails the versions are taken back, and what it may
// have left on the disk is removed before anything else is written.
//
// # Guarantees
//
//   - When Apply returns nil the rows are on disk, unless the backend is relaxed;
//     when it returns an error none of them is.
//   - Seqs rise in commit order, across restarts and steps of the wall clock.
//   - What a ReadPoint shows never changes, whatever is written, flushed or
//     dropped meanwhile.
//   - A primary key is live at most once per scope, over log and lake.
//   - Damage is an error that names its scope; other scopes are not concerned.
//
// # Caveats
//
// A request whose batch failed has no effect in this process. If the process dies
// before the disk takes the repair, the next one may find the request as a whole:
// its writer got an error and cannot know.
//
// Payloads and keys handed to Apply must not be changed afterwards. Batches and
// rows of a View are immutable and shared; records live until the ReadPoint's
// Release. A scope is in memory while it is used: its buffered rows, which the
// flush bounds, must fit. docs/architecture/buffer-format.md describes the bytes.
package buffer
