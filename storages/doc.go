// Package storages keeps the storages of a lake beside "local": it opens those that the
// catalog has, makes new ones, changes and drops them, and keeps their credentials.
//
// # Basics
//
// A Registry registers every storage of the catalog with the lake. Nothing of a storage is
// asked for then: a server starts while a bucket does not answer and a disk is not mounted.
// The first use opens a storage and reads its mark, which says that it is the storage of this
// name of this lake. Create, Alter and Drop are the statements of that name.
//
// # Guarantees
//
//   - A storage that does not answer, or is another's, fails what needs it with
//     CodeUnavailable and its id, and nothing else. After a failure it is left alone for a
//     while, in which what needs it fails at once.
//   - Credentials are stored sealed (AES-256-GCM, bound to the id of the storage) and go
//     nowhere but to the client of the storage: not to logs, errors or system tables.
//     With another key, or none, a storage cannot be used, and the server starts.
//   - Storages do not overlap: none lies in another, in the write buffer or in what else the
//     server keeps.
//   - Nothing is removed with a storage but its mark and what of it was cached here.
//
// # Caveats
//
// A directory or bucket that is reached by two names, by another mount or another name of
// the server, is recognised by its mark if its root is the same, and not if one lies in
// the other.
package storages
