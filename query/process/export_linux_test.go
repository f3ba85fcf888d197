package process

import (
	"io"
	"testing"
)

// RawPair returns a connection and the raw other end of it.
func RawPair(t *testing.T) (*Conn, io.WriteCloser) {
	t.Helper()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	return newConn(ours), theirs
}
