// Package buffertest checks that a buffer.Backend keeps its contract, and breaks
// Backends on purpose.
package buffertest
