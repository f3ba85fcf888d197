package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
)

// Health says whether the server works as it should.
type Health struct {
	Degraded bool
	Reason   string
}

// Health probes what can fail while the server runs on.
func (e *Engine) Health() Health {
	reasons := e.maintain.Degraded()
	return Health{Degraded: len(reasons) > 0, Reason: strings.Join(reasons, "; ")}
}

// The codes of obstacles.
const (
	StorageUnreachable = "storage_unreachable" // The storage 'local' does not answer, or is another.
	BufferFull         = "buffer_full"         // Writes wait, or are refused, until a flush makes room.
	DiskNearlyFull     = "disk_nearly_full"    // Writes are refused.
)

// Obstacle is why the server does not do all of what it is for.
type Obstacle struct {
	Code string
	Text string // For the operator: it has sizes and what the system said.
}

// Obstacles tells what is in the way of requests at the moment; none is the usual. A storage beside 'local' that does
// not answer is none: it concerns its own tables alone, and is in Health.
func (e *Engine) Obstacles() (list []Obstacle) {
	if err := e.probe.ask(e.pair.Answers); err != nil {
		list = append(list, Obstacle{StorageUnreachable, fmt.Sprintf("storage '%s': %v", kalam.LocalStorage, err)})
	}
	if limit, n := e.config.Buffer.MaxBytes, e.store.BufferedBytes(); limit > 0 && n >= limit {
		list = append(list, Obstacle{BufferFull, fmt.Sprintf("buffered rows take %d bytes, the limit buffer.max_bytes is %d", n, limit)})
	}
	for _, reason := range e.pair.ShortOfRoom() {
		list = append(list, Obstacle{DiskNearlyFull, reason})
	}
	return list
}

// Times of a probe.
const (
	probeEvery = time.Second     // Answers are good for so long: whoever asks more often makes no more work.
	probeWait  = 2 * time.Second // After which who does not answer counts as one that does not.
)

// errNoAnswer is the error of a probe that takes long.
var errNoAnswer = errors.New("it does not answer")

// probe asks something that may hang, once at a time. The zero value is ready. It is safe for concurrent use.
type probe struct {
	work sync.WaitGroup

	mu    sync.Mutex    // guards what follows
	asked chan struct{} // Closed when the question under way is answered; nil without one.
	until time.Time     // Of err.
	err   error
}

// ask returns the error of question, or of one that was asked shortly before.
func (p *probe) ask(question func(context.Context) error) error {
	p.mu.Lock()
	if p.asked == nil && time.Now().Before(p.until) {
		defer p.mu.Unlock()
		return p.err
	}
	if p.asked == nil {
		p.asked = make(chan struct{})
		p.work.Add(1)
		go p.run(question, p.asked)
	}
	asked := p.asked
	p.mu.Unlock()
	wait := time.NewTimer(probeWait)
	defer wait.Stop()
	select {
	case <-asked:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.err
	case <-wait.C:
		return errNoAnswer
	}
}

// run asks the question for all who wait for its answer: none of them ends it.
func (p *probe) run(question func(context.Context) error, done chan struct{}) {
	defer p.work.Done()
	err := question(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.until, p.asked = err, time.Now().Add(probeEvery), nil
	close(done)
}
