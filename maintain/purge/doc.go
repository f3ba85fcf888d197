// Package purge removes users whose time is over, and every trace of them: rows, versions and
// tombstones in the write buffer, segments, key index files, manifests and trash in every storage,
// counters, exports, what the server keeps in memory, and the record of the user.
//
// # Basics
//
// A purge begins with a mark in the user's record, from which on nothing restores the user. The job
// bars the user's scopes, waits for who still reads or writes them, and then goes through the steps
// of Purger.run. Each of them may be repeated, so a job that a crash interrupts begins again from
// the first; the mark, not the job's record, says that it has to. The record of the user, by then
// without anything personal, goes last: until then the id is not given again.
//
// # Guarantees
//
//   - When the job is completed, no file of the data directory and no object of a storage holds a
//     value of the user's rows, at whatever version, nor what the record of the user said. The job
//     looks itself before it ends: for files, and for versions of values in the buffer.
//   - Rows of SHARED tables are not the user's and stay, and so do tables that the user created.
//   - The records of jobs may name the id until jobs.retention_days are over.
//
// # Caveats
//
// Backups, snapshots of file systems, and the freed blocks of a disk are outside of its reach.
package purge
