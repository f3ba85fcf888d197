package api

import (
	"io"
	"iter"
)

// document is a response that is made while it is read: produce runs as a
// coroutine that stops whenever a piece is ready and goes on when the next one is
// asked for. It is used from one goroutine at a time.
type document struct {
	next  func() ([]byte, bool)
	stop  func()
	close func() // Called once, after produce has returned.

	piece []byte // Handed over by produce and not yet read.
	err   error  // What produce returned.
	done  bool
}

// newDocument returns the document that produce writes by send, which reports
// false once nobody wants more. close is called when the document is done with.
func newDocument(produce func(send func([]byte) bool) error, close func()) *document {
	d := &document{close: close}
	d.next, d.stop = iter.Pull(func(yield func([]byte) bool) { d.err = produce(yield) })
	return d
}

// start runs produce up to the first piece and reports whether there is one. If
// there is none, produce has returned.
func (d *document) start() (streaming bool, err error) {
	d.piece, streaming = d.next()
	return streaming, d.err
}

// Read reads the pieces. An error makes the server cut the connection without
// the end mark of the body.
func (d *document) Read(p []byte) (int, error) {
	for len(d.piece) == 0 {
		var more bool
		if d.piece, more = d.next(); more {
			continue
		}
		if d.err != nil {
			return 0, d.err
		}
		return 0, io.EOF
	}
	n := copy(p, d.piece)
	d.piece = d.piece[n:]
	return n, nil
}

// Close ends produce if it has not ended. It may be called twice.
func (d *document) Close() error {
	if d.done {
		return nil
	}
	d.done = true
	defer d.close()
	d.stop()
	return nil
}
