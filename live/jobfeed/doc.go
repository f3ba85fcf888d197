// Package jobfeed lets live queries follow system.jobs.
//
// # Basics
//
// A Feed stands between the runner of jobs and the records of package catalog: it is the jobs.Records of
// the runner. What is stored through it is published to the hub as a change of the row of system.jobs.
// Snapshot gives the rows as they were at a seq.
//
// # Guarantees
//
//   - A change is published after its record is durable, the changes of one job in their order.
//   - The rows of a Snapshot and the events after its seq together miss no change and have no job twice.
//   - The rows of one server start have rising seqs; they are not kept, so nobody resumes from one.
//
// # Caveats
//
// Who may follow is asked by package access, which every live query goes through; a Feed asks nobody.
package jobfeed
