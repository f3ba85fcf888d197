// Package maintain keeps the data of a server in order, without anybody asking: it moves
// buffered rows to the lake, merges segments, removes what expired, what was dropped and
// what belongs to nothing, brings files to other storages, and compares the lake with its record.
//
// # Basics
//
// New makes the tasks and registers them with a runner of package jobs; Run runs them, at
// their times and when Flush, Compact or RemoveTable ask for one. Each kind of job is one
// file: its task, its result, and the jobs.Type that says when it falls due and what a start
// repeats of it. Maintainer.jobTypes lists them.
//
// # Guarantees
//
//   - The commit through the buffer's committer is the only moment at which a flush or a
//     compaction takes effect. What happens before it leaves at most orphan files, what
//     comes after it can be repeated.
//   - A file is removed only when no manifest of record names it, nobody reads it, it is not
//     being written, and no power cut can bring back the state that needs it. Unless all of
//     that is known, nothing is removed.
//   - What a crash interrupted is repeated by the next start; nothing of that changes what a
//     query sees.
//
// # Caveats
//
// The package knows nothing of sessions: the statements that order maintenance, and who may
// give them, are elsewhere.
package maintain
