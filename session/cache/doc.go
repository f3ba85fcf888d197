// Package cache keeps what sessions would otherwise find out again.
//
// # Basics
//
// Cache has, for each user in each role, the statements that came lately: parsed, and where one is a read of one row by
// its key, with its names resolved. Points remembers by text alone, for all users, which SELECTs are such reads.
//
// # Guarantees
//
//   - What is kept of one principal is never given to another: the key is the user and the role.
//   - What is resolved says for which state of the schemas; the caller compares it and resolves anew.
//   - No value of a row and none of a parameter is held.
//   - Users, statements of a user and the length of a text are bounded.
package cache
