// Package accounts carries out the statements on users: CREATE, ALTER, RESTORE and DROP USER, the last
// also for good, and INSERT, UPDATE and DELETE of rows of system.users, which mean the same. What may be
// and what may not is said by package catalog, for both. It asks access before it looks. It knows no
// session: callers answer with the texts that it returns, and give the rows that a condition is true of.
package accounts
