package badger

import "sync"

// purges are the runs of Purge. Who waits for one that began after it came needs none of
// its own.
type purges struct {
	mu    sync.Mutex // Held by the one that runs.
	count sync.Mutex // guards what follows
	begun int
	done  int // The last one that ended well.
}

func (p *purges) last() int {
	p.count.Lock()
	defer p.count.Unlock()
	return p.begun
}

func (p *purges) begin() int {
	p.count.Lock()
	defer p.count.Unlock()
	p.begun++
	return p.begun
}

// end notes a run that ended well.
func (p *purges) end(n int) {
	p.count.Lock()
	defer p.count.Unlock()
	p.done = max(p.done, n)
}

// since reports whether a run ended well that began after the first n.
func (p *purges) since(n int) bool {
	p.count.Lock()
	defer p.count.Unlock()
	return p.done > n
}
