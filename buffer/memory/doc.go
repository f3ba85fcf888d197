// Package memory is a buffer.Backend in memory, for tests and for trying things
// out: nothing survives the process.
//
// A batch makes a new state, which is never changed and shares what the batch did not
// change, so that clones cost next to nothing and readers never wait.
package memory
