// Package trail says which statements are in the audit log, and what the log says of them: those that change the
// definition of something, users, credentials, storages and rows of computed tables, those that order work or end it,
// TRUNCATE, what is done for another user, and whatever was denied.
package trail
