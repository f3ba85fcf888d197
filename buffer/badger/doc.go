// Package badger is the buffer.Backend on Badger, the durable store of a
// server's data directory.
//
// # Basics
//
// Open locks the directory, checks the files that Badger trusts, and opens them.
// A keyspace is a key prefix. Apply is one Badger transaction and, unless
// Options.Relaxed is set, returns after its sync.
//
// # Guarantees
//
//   - A batch is there after a crash as a whole or not at all; one whose Apply
//     returned nil is there.
//   - A directory is used by one process at a time.
//   - Damage of the files is an error: of Open when it concerns everything, of the
//     read that meets it when it is one value. Badger by itself passes over some
//     of it silently, or panics; check.go and read.go say how that is prevented.
//   - After a failed sync nothing more is accepted until the next start, since the
//     system may have forgotten what it could not write.
//
// # Caveats
//
// Values of Limits.Large bytes or more lie in Badger's value log, whose space is
// given back by a goroutine that Close waits for. With Options.Relaxed a power cut
// loses what was written in the last 100 milliseconds; a killed process loses
// nothing in either mode.
package badger
