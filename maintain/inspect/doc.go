// Package inspect opens a lake that no server uses, for commands that look at it or copy it.
//
// # Guarantees
//
//   - Nothing is changed but what the start of the write buffer changes in its own directory.
//   - A lake that a server uses is refused.
package inspect
