// Package locations carries out the statements on storages: CREATE, ALTER and DROP STORAGE, and DELETE FROM
// system.storages, which is DROP STORAGE in other words. It asks access before it looks. It knows no
// session: callers answer with the texts that it returns, and give the rows that a condition is true of.
package locations
