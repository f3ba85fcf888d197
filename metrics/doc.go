// Package metrics tells Prometheus what a server does.
//
// # Basics
//
// Observed holds what has to be measured when it happens: how long commits, statements and live events take, and what
// was refused. The parts of the server are given its methods and know nothing of Prometheus. Metrics adds, whenever
// somebody asks, what the parts count for themselves; system.stats shows the same counters. Handler answers a scrape.
//
// # Guarantees
//
//   - No label holds a user, a text of SQL, an error message or a secret. Labels are kinds of statements, roles, codes of
//     errors, names of caches and disks, and the names of tables.
//   - The number of series is bounded, whatever users do: tables have figures of their own up to Options.MaxTables, the
//     largest first, and the others are summed as one.
//   - An observation takes some tens of nanoseconds and no lock.
//
// # Caveats
//
// The sizes of flushed tables come from the manifests of record of all users. They are read beside a scrape and not
// in it once that takes long, and so seldom that it takes less than a hundredth of the time: on a server of very many
// users they can be minutes old.
package metrics
