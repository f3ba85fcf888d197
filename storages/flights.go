package storages

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kalamlake/kalam/lake"
)

// suspectAfter is how long a remote storage has for an operation before it is asked whether it
// still answers, and for that answer. A large upload takes longer; jobs that wait for a silent
// server keep others from their turn.
const suspectAfter = 5 * time.Second

// errSilent is why the operations of a storage are ended that does not answer beside them.
var errSilent = errors.New("it does not answer")

// flights are the operations under way of a remote storage. Those that take long have the storage
// asked beside them.
type flights struct {
	suspect time.Duration // 0 is suspectAfter.

	probes sync.WaitGroup

	mu      sync.Mutex // guards what follows
	flying  map[*flight]struct{}
	probing bool
}

// flight is an operation under way.
type flight struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// begin notes an operation of g, until land is called.
func (fs *flights) begin(ctx context.Context, g *guarded) (watched context.Context, land func()) {
	if g.props.Local {
		return ctx, func() {}
	}
	watched, cancel := context.WithCancelCause(ctx)
	f := &flight{cancel: cancel}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.flying == nil {
		fs.flying = map[*flight]struct{}{}
	}
	fs.flying[f] = struct{}{}
	f.timer = time.AfterFunc(fs.patience(), func() { fs.probe(g) })
	return watched, func() {
		fs.mu.Lock()
		delete(fs.flying, f)
		f.timer.Stop()
		fs.mu.Unlock()
		cancel(nil)
	}
}

func (fs *flights) patience() time.Duration {
	if fs.suspect > 0 {
		return fs.suspect
	}
	return suspectAfter
}

// probe asks the storage for its mark. Without an answer all operations end; with one they are
// looked at again later.
func (fs *flights) probe(g *guarded) {
	fs.mu.Lock()
	if fs.probing || len(fs.flying) == 0 {
		fs.mu.Unlock()
		return
	}
	fs.probing = true
	fs.probes.Add(1)
	fs.mu.Unlock()
	defer fs.probes.Done()
	ctx, cancel := context.WithTimeout(context.Background(), fs.patience())
	_, _, err := lake.ReadMark(ctx, g.current.Load().Storage)
	silent := ctx.Err() != nil || errors.Is(err, lake.ErrUnavailable)
	cancel()
	if silent {
		g.failed(errSilent)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.probing = false
	for f := range fs.flying {
		if silent {
			f.cancel(errSilent)
		} else {
			f.timer.Reset(fs.patience())
		}
	}
}

// wait waits for the end of a question under way.
func (fs *flights) wait() { fs.probes.Wait() }
