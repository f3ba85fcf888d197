// Package buffer is the durable write buffer: a row log per scope over a
// pluggable Backend, the state of the scopes in memory, and the committer that
// makes writes durable in groups.
//
// # Basics
//
// Open starts a Store. Apply commits mutations: all of one call or none, with
// one shared fsync. Snapshot reads one consistent state of any number of scopes,
// rows of the lake included. CommitFlush moves rows of a scope from the log to a
// segment; Trim removes them from the log.
//
// # Guarantees
//
//   - When Apply returns nil the rows are on disk, unless Options.Relaxed is set.
//   - Seqs rise in commit order, across restarts and steps of the wall clock.
//   - What a Snapshot shows never changes, whatever is written, flushed or
//     dropped meanwhile.
//   - A primary key is live at most once per scope, over log and lake.
//
// # Caveats
//
// Payloads and keys handed to Apply must not be changed afterwards. Batches and
// rows of a View are immutable and shared; records live until the Snapshot's
// Release. docs/architecture/buffer-format.md describes the bytes.
package buffer
