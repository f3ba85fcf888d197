// Package catalog holds what the server knows about itself: namespaces, tables
// and their schema history, users, storages, secrets and the records of jobs. It
// also holds the rules of who may do what.
//
// # Basics
//
// Open reads every record of the keyspace sys_catalog into an immutable version.
// Reads look at the version through one atomic pointer and take no lock; a value
// that a read returned never changes. A write builds the next version, makes its
// records durable in one atomic batch of the backend, and then publishes the
// version. Writers follow one another, so a check and the write that relies on it
// are atomic: no table appears in a dropped namespace, and one of two concurrent
// CREATE USER of a name wins.
//
// Who may create tables and manage users is asked of Options.Rules, inside the write.
//
// # Guarantees
//
//   - A write that returned nil survives a crash; one that returned an error has
//     changed nothing.
//   - The definition of a table with all its versions is one record.
//   - Table numbers and column ids are never used twice.
//   - A damaged record is found when it is read, by checksum, and named; Open
//     does not start over it.
//   - A password is stored as a bcrypt hash only. A wrong password and an unknown
//     user give the same answer after the same work.
//   - A login writes nothing that it needs: failures and locks are in memory, by name
//     and address.
//
// # Caveats
//
// Finished jobs are not part of the version: Job and Jobs read them from the
// backend, since thirty days of them need not fit in memory. The record formats
// are described in docs/architecture/catalog-format.md.
package catalog
