package pool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/memlimit"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/sandbox"
	"github.com/kalamlake/kalam/query/wire"
)

// start starts a worker.
func (p *Pool) start(k kind) (_ *worker, err error) {
	p.mu.Lock()
	p.last++
	number := p.last
	p.mu.Unlock()
	w := &worker{pool: p, kind: k, said: &tail{}, more: p.more()}
	defer func() {
		if err != nil {
			w.end()
		}
	}()
	if k != copies && p.options.TempDir != "" {
		w.dir = filepath.Join(p.options.TempDir, "worker-"+strconv.Itoa(number))
		if err := os.Mkdir(w.dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a directory for a query worker: %w", err)
		}
	}
	w.proc, err = p.starter.Start(process.Spec{Args: []string{wire.Argument}, Rules: w.rules(), Stderr: w.said})
	if err != nil {
		return nil, err
	}
	p.count.started.Add(1)
	w.prepared, _ = simplelru.NewLRU[uint64, struct{}](maxKnown, nil) // The sizes are constants.
	w.has, _ = simplelru.NewLRU[uint64, int64](1<<20, nil)
	if err := w.open(); err != nil {
		return nil, err
	}
	if err := w.proc.EndFirst(); err != nil {
		p.options.Logger.Debug("a query worker does not end first when memory is short", "error", err)
	}
	if k != copies {
		p.mu.Lock()
		p.workers[w] = struct{}{}
		p.mu.Unlock()
	}
	return w, w.proc.LimitMemory(w.limit() + addressRoom)
}

// startFor is start for a statement, which may be run again when it fails.
func (p *Pool) startFor(k kind) (*worker, error) {
	w, err := p.start(k)
	if err == nil {
		return w, nil
	}
	p.options.Logger.Warn("query worker not started", "error", err)
	return nil, kalam.Wrap(kalam.CodeUnavailable, err,
		"no process for the statement could be started; nothing was changed, run the statement again")
}

// more returns what Options.MoreDirs does now.
func (p *Pool) more() []string {
	if p.options.MoreDirs == nil {
		return nil
	}
	return p.options.MoreDirs()
}

// dirs returns the directories that DuckDB is told of.
func (w *worker) dirs() []string { return slices.Concat(w.pool.options.LakeDirs, w.more) }

// rules are what of the file system stays open to the worker. A program that breaks out of
// DuckDB holds that, and the files that its call was lent. DuckDB ends at once without the
// files of the control groups.
func (w *worker) rules() sandbox.Rules {
	r := sandbox.Rules{Read: []string{"/proc/self/cgroup", "/sys/fs/cgroup"}}
	switch {
	case w.kind == copies:
		r.Write = w.dirs()
	case w.dir != "":
		r.Write = []string{w.dir}
	}
	return r
}

// limit returns the memory that the worker may hold.
func (w *worker) limit() int64 {
	if w.kind == copies {
		return memlimit.Default()
	}
	return w.pool.share
}

// counted returns the memory of which DuckDB itself sees that it does not use more.
func (w *worker) counted() int64 { return w.limit() / 8 * countedPart }

// open has the worker open DuckDB.
func (w *worker) open() error {
	o := &w.pool.options
	threads := o.Threads
	if w.kind == serial {
		threads = 1
	}
	var b wire.Buffer
	b.PutOptions(wire.Options{
		MemoryLimit: memlimit.Format(w.counted()), Threads: threads, LakeDirs: w.dirs(), TempDir: w.dir,
		TempLimit:  memlimit.Format(spillFactor * w.pool.share),
		PostgreSQL: o.PostgreSQL && w.kind != copies, IDs: o.NextIDs != nil, Copies: w.kind == copies,
	})
	late := time.AfterFunc(startTimeout, w.kill)
	defer late.Stop()
	if err := w.proc.Conn().Write(process.Frame{Kind: wire.Open, Payload: b.B}); err != nil {
		return w.failedStart(err)
	}
	f, err := w.proc.Conn().Read()
	if err != nil {
		return w.failedStart(err)
	}
	r := wire.NewReader(f.Payload)
	switch f.Kind {
	case wire.Ready:
		w.state = r.Text()
		return r.Err()
	case wire.Failure:
		return fmt.Errorf("open DuckDB in a query worker: %w", r.Error())
	}
	return w.failedStart(kalam.Errorf(kalam.CodeInternal, "it answered %q", f.Kind))
}

func (w *worker) failedStart(err error) error {
	w.kill()
	return fmt.Errorf("start a query worker: %w (it said: %s)", err, w.said)
}

// end ends the process and removes its directory.
func (w *worker) end() {
	if w.proc != nil {
		w.proc.Kill()
	}
	w.pool.mu.Lock()
	delete(w.pool.workers, w)
	w.pool.mu.Unlock()
	if w.dir == "" {
		return
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.pool.options.Logger.Warn("directory of a query worker not removed", "error", err)
	}
}

// alive reports whether the process has not ended.
func (w *worker) alive() bool {
	select {
	case <-w.proc.Ended():
		return false
	default:
		return true
	}
}

// knows reports whether the worker has a statement prepared.
func (w *worker) knows(statement uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.prepared.Contains(statement)
}

// ran notes a statement that has run to its end, and what the worker says of itself.
func (w *worker) ran(statement uint64, r wire.Report) {
	before := w.report.Swap(&r)
	if before == nil {
		before = &wire.Report{}
	}
	w.pool.count.hits.Add(r.Hits - before.Hits)
	w.pool.count.misses.Add(r.Misses - before.Misses)
	if r.Found {
		w.pool.count.prepared.Add(1)
	}
	if statement == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prepared.Add(statement, struct{}{})
}

// forget has the worker let go of a batch that it keeps.
func (w *worker) forget(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if size, ok := w.has.Peek(id); ok {
		w.has.Remove(id)
		w.bytes -= size
		if w.busy {
			w.dropped = append(w.dropped, id)
			return
		}
		w.drop([]uint64{id})
	}
}

// begin notes that a call uses the worker: what it names is not dropped meanwhile, and
// nothing is sent that a worker which stands still would not take.
func (w *worker) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = true
}

// done ends begin.
func (w *worker) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
	if len(w.dropped) > 0 {
		w.drop(w.dropped)
		w.dropped = nil
	}
}

// drop tells the worker which batches nobody names any more. An error shows with the
// next call.
func (w *worker) drop(ids []uint64) {
	var b wire.Buffer
	b.Uint(uint64(len(ids)))
	for _, id := range ids {
		b.Uint(id)
	}
	_ = w.proc.Conn().Write(process.Frame{Kind: wire.Drop, Payload: b.B})
}

// addWorker adds what a worker says of itself to the gauges.
func addWorker(s *query.ExecutorStats, w *worker) {
	s.Workers++
	s.Memory += w.memory.Load()
	if r := w.report.Load(); r != nil {
		s.Prepared += r.Prepared
		s.ChunkBytes += r.Bytes
		s.InFlight += r.Sources
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Chunks += int64(w.has.Len())
}
