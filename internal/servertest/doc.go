// Package servertest runs, in tests, the server of this code in a process of its own.
package servertest
