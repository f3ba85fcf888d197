// Package counts finds what the rows of a write tell of the counters of their columns
// (AUTO_INCREMENT). Its functions hold nothing and are safe for concurrent use.
package counts
