package pool

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/memlimit"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/turns"
	"github.com/kalamlake/kalam/query/wire"
)

// Available reports whether this platform has worker processes.
const Available = true

// Open starts the first worker. The caller closes the Pool.
func Open(o Options) (_ *Pool, err error) {
	if !wire.Serves() {
		return nil, kalam.Errorf(kalam.CodeInternal, "this program does not call worker.Main, so it has no query workers")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Places <= 0 {
		o.Places = runtime.GOMAXPROCS(0) + 1
	}
	if o.Slice <= 0 {
		o.Slice = defaultSlice
	}
	if err := o.makeAbsolute(); err != nil {
		return nil, err
	}
	p := &Pool{
		options: o, fast: turns.New(o.Places, maxWaiting), slow: turns.New(o.Places, maxWaiting), batches: newBatchStore(),
		copying: make(chan *worker, 1), closing: make(chan struct{}), working: make(chan struct{}, 1),
		busy: map[*worker]*call{}, workers: map[*worker]struct{}{},
	}
	p.settled = sync.NewCond(&p.mu)
	if p.memory, err = memlimit.Parse(o.MemoryLimit); err != nil {
		return nil, err
	}
	p.share = min(max(p.memory/shareUsers, leastShare), p.memory)
	if err := emptyDir(o.TempDir); err != nil {
		return nil, err
	}
	p.spools.dir = o.TempDir
	p.copying <- nil
	p.copyIdle = time.AfterFunc(idleFor, p.endIdleCopier)
	p.starter = process.NewStarter()
	w, err := p.start(serial)
	if err != nil {
		p.starter.Close()
		return nil, err
	}
	p.sandbox = w.state
	p.idle = append(p.idle, w)
	p.running.Go(p.watch)
	return p, nil
}

// makeAbsolute makes the paths absolute: a sandbox knows no others.
func (o *Options) makeAbsolute() (err error) {
	if o.TempDir != "" {
		if o.TempDir, err = filepath.Abs(o.TempDir); err != nil {
			return fmt.Errorf("find the directory for temporary files: %w", err)
		}
	}
	o.LakeDirs = slices.Clone(o.LakeDirs)
	for i, dir := range o.LakeDirs {
		if o.LakeDirs[i], err = filepath.Abs(dir); err != nil {
			return fmt.Errorf("find a directory of the lake: %w", err)
		}
	}
	return nil
}

// emptyDir makes a private directory and removes what is in it.
func emptyDir(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make a directory for temporary files: %w", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read the directory for temporary files: %w", err)
	}
	for _, e := range left {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove a temporary file of before: %w", err)
		}
	}
	return nil
}

// Close ends every call and every worker.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.closing)
	idle := p.idle
	p.idle = nil
	for _, c := range p.busy {
		c.kill(query.ErrClosed())
	}
	p.mu.Unlock()
	for _, w := range idle {
		w.end()
	}
	p.copyIdle.Stop()
	if w := <-p.copying; w != nil { // Its call was killed by closing.
		w.end()
	}
	p.mu.Lock()
	for len(p.busy) > 0 || p.ending > 0 || p.spare {
		p.settled.Wait()
	}
	p.mu.Unlock()
	p.running.Wait()
	p.starter.Close()
	p.batches.clear()
	return nil
}
