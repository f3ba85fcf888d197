// Package accounts carries out the statements on users: CREATE, ALTER, RESTORE and DROP USER, the last
// also for good. It asks access before it looks. It knows no session: callers answer with the texts
// that it returns.
package accounts
