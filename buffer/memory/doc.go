// Package memory is a buffer.Backend in memory, for tests and for trying things
// out: nothing survives the process.
//
// Every state is immutable: a batch makes a new one that shares what it did not
// change, so that snapshots and clones cost nothing and readers never wait.
package memory
