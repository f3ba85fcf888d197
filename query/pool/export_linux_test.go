package pool

import "github.com/kalamlake/kalam/query/sandbox"

// PIDs returns the processes of the workers, the one that writes files not among them.
func (p *Pool) PIDs() (pids []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.idle {
		pids = append(pids, w.proc.PID())
	}
	for w := range p.busy {
		pids = append(pids, w.proc.PID())
	}
	return pids
}

// CopyPID returns the process that writes files, 0 for none.
func (p *Pool) CopyPID() int {
	w := <-p.copying
	defer func() { p.copying <- w }()
	if w == nil {
		return 0
	}
	return w.proc.PID()
}

// Rules are those of a worker whose temporary directory is dir.
func (p *Pool) Rules(dir string) sandbox.Rules { return (&worker{pool: p, dir: dir}).rules() }
