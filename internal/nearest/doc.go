// Package nearest finds the word for which another was probably mistyped, for messages that ask about it.
package nearest
