// Package audit keeps the log of who did what: an append-only chain of records in a keyspace of its own.
//
// # Basics
//
// A Statement that changes something carries its record to the commit: With puts it into the context, and the Backend
// that the catalog writes through adds the record to the first batch that it gets with that context. So the change and
// its record are one batch: neither is ever there without the other. Append writes records at once. Note is for what
// may come a thousand times a second: the first of its kind is written soon, repeats are counted, and each ten minutes
// the counts are written.
//
// # Guarantees
//
//   - Each record holds the hash of the one before: Verify finds one that is missing, changed or moved, and a log that
//     ends early or begins late. Who can write to the files and knows this package can write another chain: keep the
//     last hash elsewhere to find that.
//   - Retention removes the oldest records alone, and leaves the number and hash where the chain goes on.
//   - Note never waits for the disk, and what it writes in ten minutes is bounded, whoever calls it how often.
//   - Nobody changes or removes a record by a statement: there is no function for it.
//   - Texts of statements are kept without their values and secrets, see Text.
//
// # Caveats
//
// A crash loses the counts of the last ten minutes, and what was noted in the last moments. A disk that is full loses
// what is noted; a change that cannot have its record fails.
package audit
