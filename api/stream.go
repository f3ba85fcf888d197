package api

import (
	"io"
	"iter"
	"sync"
)

// document is a response that is made while it is read: produce runs as a
// coroutine that stops whenever a piece is ready and goes on when the next one is
// asked for. It is used from one goroutine at a time.
type document struct {
	producers *producers
	producer  *producer // nil once produce has returned.
	close     func()    // Called once, after produce has returned.

	piece []byte // Handed over by produce and not yet read.
	err   error  // What produce returned.
	done  bool
}

// start runs produce up to the first piece and reports whether there is one. If
// there is none, produce has returned.
func (d *document) start() (streaming bool, err error) {
	streaming = d.next()
	return streaming, d.err
}

// next runs produce up to the next piece, and reports false when it has returned.
func (d *document) next() bool {
	p := d.producer
	if p == nil {
		return false
	}
	d.piece, _ = p.next()
	if p.produce != nil {
		return true
	}
	d.err, d.producer = p.err, nil
	d.producers.put(p)
	return false
}

// Read reads the pieces. An error makes the server cut the connection without
// the end mark of the body.
func (d *document) Read(p []byte) (int, error) {
	for len(d.piece) == 0 {
		if d.next() {
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
	if d.producer != nil {
		d.producer.stop()
	}
	return nil
}

// producer is a coroutine that makes one document after the other. Its stack is
// as large as statements need it: growing a new one for each request took a
// sixteenth of the server's time.
type producer struct {
	produce func(send func([]byte) bool) error // Set before next; nil when it has returned.
	err     error                              // What it returned.
	next    func() ([]byte, bool)
	stop    func() // Has produce's sends report false until it returns, and ends the coroutine.
}

func newProducer() *producer {
	p := &producer{}
	p.next, p.stop = iter.Pull(func(yield func([]byte) bool) {
		for {
			p.err = p.produce(yield)
			p.produce = nil
			if !yield(nil) {
				return
			}
		}
	})
	return p
}

// idleProducers are kept at most.
const idleProducers = 64

// producers are the coroutines that wait for a document. The zero value is ready.
type producers struct {
	mu     sync.Mutex // guards what follows
	idle   []*producer
	closed bool
}

func (p *producers) get() *producer {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return newProducer()
	}
	one := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return one
}

// put takes back a producer whose document is made.
func (p *producers) put(one *producer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == idleProducers {
		one.stop()
		return
	}
	p.idle = append(p.idle, one)
}

// close ends the idle ones, and later those that are put back.
func (p *producers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, one := range p.idle {
		one.stop()
	}
	p.idle = nil
}
