package worker

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/semaphore"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/memlimit"
	"github.com/kalamlake/kalam/sqltext"
)

// Options configure DuckDB. The zero value works, without files.
type Options struct {
	// MemoryLimit is what statements may use together, as DuckDB writes it ("2GB");
	// "" is half of the machine's memory, 4 GiB at most. Values that are large by
	// themselves, such as texts of many megabytes, are not counted by DuckDB.
	MemoryLimit string
	Threads     int      // Of DuckDB, per instance; 0 is one per processor.
	LakeDirs    []string // Directories of the files that statements read and Copy writes.
	// MoreDirs returns further ones, which may change; nil: none.
	MoreDirs  func() []string
	TempDir   string // Private directory for what does not fit in memory; "" is none: such a query fails.
	TempLimit string // Of the files in TempDir, as MemoryLimit; "" is most of the disk.
	// PostgreSQL lets / of integers give an integer, and NULLs come first in a descending
	// order, as there and in KalamDB; else they do as in DuckDB.
	PostgreSQL bool
	NextIDs    NextIDs // Makes the values of SNOWFLAKE_ID(); nil refuses them.

	worker bool // The process is a query worker: nothing else needs the memory that a statement leaves.
}

// Complete returns o with what the machine decides in the place of zeros.
func (o Options) Complete() Options {
	if o.Threads <= 0 {
		o.Threads = defaultThreads()
	}
	if o.MemoryLimit == "" {
		o.MemoryLimit = memlimit.Format(memlimit.Default())
	}
	return o
}

// settings returns the settings of the instance for user SQL.
func (o *Options) settings() []string {
	s := lockdown(o.dirs(), o.TempDir, o.MemoryLimit, o.Threads)
	if o.TempDir != "" && o.TempLimit != "" {
		s = append([]string{"SET max_temp_directory_size = " + sqltext.QuoteString(o.TempLimit)}, s...)
	}
	if o.PostgreSQL {
		s = postgreSQL(s)
	}
	if o.worker {
		s = append([]string{"SET allocator_background_threads = true"}, s...)
	}
	return s
}

// dirs returns all directories of files.
func (o *Options) dirs() []string {
	if o.MoreDirs == nil {
		return o.LakeDirs
	}
	return slices.Concat(o.LakeDirs, o.MoreDirs())
}

// parsers is the number of texts that are parsed at a time.
const parsers = 2

// Executor runs DuckDB in this process: query.isolation = "none".
type Executor struct {
	options Options
	opened  int          // Parsers.
	parsers chan *parser // Capacity parsers; receiving waits for a free one.
	helper  *instance    // Converts batches and runs nothing, so nothing can break it.
	pool    *pool
	copying chan *copier        // Holds the copier, nil when it has to be opened, while no file is written.
	gate    *semaphore.Weighted // Statements that compute at a time.
	closing chan struct{}
	closed  atomic.Bool

	running, waiting atomic.Int64
}

// Open starts DuckDB: one instance for user SQL, one for COPY, and some that only parse
// or convert. The caller closes the Executor.
func Open(o Options) (_ *Executor, err error) {
	o = o.Complete()
	e := &Executor{
		options: o, parsers: make(chan *parser, parsers), copying: make(chan *copier, 1),
		gate: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))), closing: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	e.copying <- nil
	for ; e.opened < parsers; e.opened++ {
		p, err := openOwnParser()
		if err != nil {
			return nil, err
		}
		e.parsers <- p
	}
	if e.helper, err = openInstance(lockdown(nil, "", parserRAM, 1)); err != nil {
		return nil, err
	}
	open := func() (*generation, error) { return openFunctions(o.settings(), o.NextIDs, o.PostgreSQL) }
	if e.pool, err = openPool(open, o.dirs, e.helper); err != nil {
		return nil, err
	}
	return e, nil
}

// Close implements query.Executor.
//
//nolint:contextcheck // It waits for what runs, as long as that takes to end.
func (e *Executor) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	close(e.closing)
	if e.pool != nil {
		e.pool.close()
	}
	if c := <-e.copying; c != nil {
		c.close()
	}
	if e.helper != nil {
		e.helper.close()
	}
	for range e.opened {
		(<-e.parsers).close()
	}
	return nil
}

// translate runs a parser.
func (e *Executor) translate(ctx context.Context, what translation, arg string) ([]string, error) {
	if e.closed.Load() {
		return nil, query.ErrClosed()
	}
	var p *parser
	select {
	case p = <-e.parsers:
	case <-e.closing:
		return nil, query.ErrClosed()
	case <-ctx.Done():
		return nil, query.Canceled(ctx)
	}
	texts, err := p.run(ctx, what, arg)
	if duckerr.Invalidates(err) { // A text has broken it.
		if fresh, err := openOwnParser(); err == nil {
			p.close()
			p = fresh
		}
	}
	e.parsers <- p
	return texts, err
}

// Parse implements query.Executor.
func (e *Executor) Parse(ctx context.Context, _ kalam.UserID, sql string) (string, error) {
	texts, err := e.translate(ctx, parseText, sql)
	if err != nil {
		return "", err
	}
	return texts[0], nil
}

// Write implements query.Executor.
func (e *Executor) Write(ctx context.Context, _ kalam.UserID, tree string) (string, error) {
	texts, err := e.translate(ctx, writeTree, tree)
	if err != nil {
		return "", err
	}
	return texts[0], nil
}

// Rewrite implements query.Executor.
func (e *Executor) Rewrite(ctx context.Context, _ kalam.UserID, tree string) (sql, again string, err error) {
	texts, err := e.translate(ctx, rewriteTree, tree)
	if err != nil {
		return "", "", err
	}
	return texts[0], texts[1], nil
}

// Describe implements query.Executor.
func (e *Executor) Describe(ctx context.Context, _ kalam.UserID, sql string) (d query.Description, err error) {
	s, err := e.pool.get(ctx)
	if err != nil {
		return d, err
	}
	err = e.compute(ctx, s, func() (err error) {
		d, err = s.description(sql)
		return err
	})
	e.pool.put(s, err)
	return d, err
}

// Explain implements query.Executor.
func (e *Executor) Explain(ctx context.Context, st *query.Statement, analyze bool) (text string, err error) {
	s, err := e.pool.get(ctx)
	if err != nil {
		return "", err
	}
	err = e.compute(ctx, s, func() (err error) {
		text, err = s.explain(st, analyze)
		return err
	})
	e.pool.put(s, err)
	return text, err
}

// Run implements query.Executor.
func (e *Executor) Run(ctx context.Context, st *query.Statement) (query.Result, error) {
	r, err := e.run(ctx, st)
	if isCollateral(err) {
		// Another statement broke the instance. No row was given yet, so begin anew.
		r, err = e.run(ctx, st)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// isCollateral reports whether err comes from an instance that another statement has
// made unusable.
func isCollateral(err error) bool {
	var de *duckerr.Error
	return errors.As(err, &de) && strings.EqualFold(de.Type, "fatal") &&
		strings.Contains(de.Message, "previous fatal error")
}

func (e *Executor) run(ctx context.Context, st *query.Statement) (*rows, error) {
	// The session comes first: who waits for one must not keep those that have one
	// from computing.
	s, err := e.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	r := &rows{e: e}
	err = e.compute(ctx, s, func() (err error) {
		r.cursor, err = s.start(st)
		return err
	})
	if r.cursor == nil { // It was not its turn.
		e.pool.put(s, err)
		return nil, err
	}
	if err != nil {
		r.end(err)
		return nil, err
	}
	if r.cursor.found {
		e.pool.prepared.Add(1)
	}
	return r, nil
}

// compute runs f when it is its turn, and interrupts it when ctx ends.
func (e *Executor) compute(ctx context.Context, s *session, f func() error) error {
	if e.closed.Load() {
		return query.ErrClosed()
	}
	seen := activity.Of(ctx)
	if !e.gate.TryAcquire(1) {
		seen.Waits()
		e.waiting.Add(1)
		err := e.gate.Acquire(ctx, 1)
		e.waiting.Add(-1)
		if err != nil {
			return query.Canceled(ctx)
		}
	}
	e.running.Add(1)
	seen.Runs(os.Getpid())
	defer func() {
		seen.Sends()
		e.running.Add(-1)
		e.gate.Release(1)
	}()
	return s.call(ctx, f)
}

// rows are the result of a statement.
type rows struct {
	e      *Executor
	cursor *cursor // nil once they have ended.
	schema *arrow.Schema
	err    error // Of the last Next.
}

// Schema implements query.Result.
func (r *rows) Schema() *arrow.Schema {
	if r.schema == nil {
		r.schema = r.cursor.out.schema
	}
	return r.schema
}

// Next implements query.Result.
func (r *rows) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if r.cursor == nil {
		return nil, r.err
	}
	r.Schema() // It is asked for after the end, too.
	var rec arrow.RecordBatch
	err := r.e.compute(ctx, r.cursor.session, func() (err error) {
		rec, err = r.cursor.next()
		return err
	})
	if err != nil {
		r.err = err
		r.end(err)
		return nil, err
	}
	return rec, nil
}

// Close implements query.Result.
func (r *rows) Close() { r.end(nil) }

// end lets go of everything after the statement has ended with err.
func (r *rows) end(err error) {
	if r.cursor == nil {
		return
	}
	s := r.cursor.session
	if fault := r.cursor.close(); fault != nil && (err == nil || errors.Is(err, io.EOF)) {
		err = fault
	}
	r.cursor = nil
	if r.err == nil {
		r.err = kalam.Errorf(kalam.CodeInternal, "rows are closed")
	}
	r.e.pool.put(s, err)
}

// Copy implements query.Executor. One file is written at a time; others wait as long as
// ctx allows.
func (e *Executor) Copy(ctx context.Context, spec *query.Copy) (int64, error) {
	if e.closed.Load() {
		return 0, query.ErrClosed()
	}
	var c *copier
	select {
	case c = <-e.copying:
	case <-e.closing:
		return 0, query.ErrClosed()
	case <-ctx.Done():
		return 0, query.Canceled(ctx)
	}
	defer func() { e.copying <- c }()
	if c != nil && !slices.Equal(c.dirs, e.options.dirs()) {
		c.close()
		c = nil
	}
	if c == nil {
		opened, err := openCopier(e.options.forCopy())
		if err != nil {
			return 0, err
		}
		c = opened
	}
	rows, err := c.write(ctx, spec)
	if duckerr.Invalidates(err) {
		c.close()
		c = nil
	}
	return rows, err
}

// forCopy returns the options of what writes files.
func (o Options) forCopy() Options {
	o.MemoryLimit = memlimit.Format(memlimit.Default())
	return o
}

// Forget implements query.Executor.
func (e *Executor) Forget(id uint64) { e.pool.chunks.forget(id) }

// Stats implements query.Executor.
func (e *Executor) Stats() query.ExecutorStats {
	s := query.ExecutorStats{
		Isolation: "none", Running: e.running.Load(), Waiting: e.waiting.Load(),
		Threads: e.options.Threads, PreparedHits: e.pool.prepared.Load(), Chunks: liveChunks(), InFlight: liveSources(),
	}
	s.Sessions, s.Prepared = e.pool.stats()
	s.ChunkHits, s.ChunkMiss, s.ChunkBytes = e.pool.chunks.stats()
	return s
}
