// Package settings keeps what the shell remembers between runs: config.toml with the
// choices of its user, and credentials.toml with tokens.
//
// # Guarantees
//
//   - Files are readable by their user only.
//   - A value that cannot be meant is an error that names the file, the line, the key
//     and what is allowed; a key that nobody knows is a warning.
//   - Passwords are never stored. Tokens print as [redacted].
//   - Several shells may use one file: each changes it under a lock.
package settings
