// Package jobs runs background work. It knows no task: each kind of job is a Type that
// others register.
//
// # Basics
//
// A Runner takes a job by Submit, stores its record, and runs the Task of its
// Type on a bounded number of workers. A task sees its context and a Handle, by
// which it reports progress and its result. Schedule runs a function at the times
// of a cron line, until it is removed. A FlushScheduler submits flushes as the policies of
// tables and the size of the write buffer ask for them. The tasks are those of package
// maintain.
//
// # Guarantees
//
//   - The record of a job is durable before the job starts and at each change of
//     its state; only the changes of state.go are possible.
//   - Of the jobs with one idempotency key at most one is active, and at most one
//     task runs.
//   - A job that was active when the server stopped is taken up again when the
//     next Runner runs.
//   - A task that fails is tried again after a pause during which it holds no
//     worker; one that panics ends as failed, with the stack in its record.
//
// # Caveats
//
// A task must end soon after its context does, and must stand being run again
// from the start. The memory and CPU of a job are measured on the whole process,
// so they include what else ran meanwhile, and on the processes that write its files,
// see package internal/usage. The states, the resume rules and when a table is
// flushed are described in docs/architecture/jobs.md.
package jobs
