package maintain

import (
	"context"
	"sync"

	"github.com/kalamlake/kalam"
)

// scopeLocks lets one compaction of a scope run at a time: a statement's and the
// background rule's are different jobs.
type scopeLocks struct {
	mu   sync.Mutex // guards busy
	busy map[kalam.Scope]chan struct{}
}

func (l *scopeLocks) lock(ctx context.Context, sc kalam.Scope) error {
	for {
		l.mu.Lock()
		other, taken := l.busy[sc]
		if !taken {
			if l.busy == nil {
				l.busy = map[kalam.Scope]chan struct{}{}
			}
			l.busy[sc] = make(chan struct{})
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *scopeLocks) unlock(sc kalam.Scope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.busy[sc])
	delete(l.busy, sc)
}
