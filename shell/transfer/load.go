package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// batch is a run of records that are sent at once.
type batch struct {
	span
	records []record
	bad     []reject
	again   bool // They may be stored already.
	bytes   int
}

// mostBatch bounds the bytes of the values of a batch.
const mostBatch = 600 << 10

// stateEvery is how often the state is written where rows have keys: what it does not tell
// yet is sent again, which changes nothing.
const stateEvery = 250 * time.Millisecond

// load is a load under way.
type load struct {
	plan     *plan
	options  *LoadOptions
	sender   *sender
	progress *progress
	now      func() time.Time
	earlier  state // What an earlier run has left: its Done, Sent and Flight.

	mu       sync.Mutex // guards what follows
	state    *state
	rejects  *rejects
	saved    time.Time
	skipped  int64
	shown    []reject // Without a file of rejects: the first of them.
	refusals int64
}

// Load loads a file into a table. If ctx ends, or the process is killed, the same call goes
// on where it was: no record is lost or stored twice.
func Load(ctx context.Context, env Env, o LoadOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.As != "" {
		return loadChat(ctx, env, o)
	}
	if IsDump(o.File) {
		return loadDump(ctx, env, o)
	}
	p, err := newPlan(ctx, env, &o)
	if err != nil {
		return err
	}
	return loadPlans(ctx, env, o, []*plan{p})
}

// consent reports whether what was shown is to be loaded: it is no dry run, and who is asked agrees. It says so if not.
func (o *LoadOptions) consent(env Env) (bool, error) {
	if o.DryRun {
		env.Say("Nothing was loaded: this is a dry run.")
		return false, nil
	}
	if env.Ask == nil || o.Yes {
		return true, nil
	}
	yes, err := env.Ask("Load it?")
	if err != nil || !yes {
		env.Say("Nothing was loaded.")
		return false, err
	}
	return true, nil
}

// loadPlans shows the plans, asks, and does them. It closes their sources.
func loadPlans(ctx context.Context, env Env, o LoadOptions, plans []*plan) (err error) {
	for _, p := range plans {
		defer func() { err = errors.Join(err, p.source.close()) }()
		p.describe(env.Say)
	}
	if yes, err := o.consent(env); !yes {
		return err
	}
	var done []*load
	for _, p := range plans {
		l, err := p.run(ctx, env, &o)
		if err != nil {
			return err
		}
		done = append(done, l)
	}
	return forget(done)
}

// forget removes the states of loads when all of them have ended, so that a further run goes
// on behind those that had. The states that are lost first are those whose rows have
// keys: without them rows are rejected, but none is stored twice.
func forget(done []*load) error {
	var errs []error
	for _, keyed := range []bool{true, false} {
		for _, l := range done {
			if l.plan.keyed == keyed {
				errs = append(errs, l.state.remove())
			}
		}
	}
	return errors.Join(errs...)
}

// run loads one file into one table, which it creates if there is none.
func (p *plan) run(ctx context.Context, env Env, o *LoadOptions) (*load, error) {
	l := &load{plan: p, options: o, now: env.Now}
	l.sender = &sender{client: env.Client, insert: newInsert(p.name, p.columns, p.from, p.keyed, o.Conflict),
		refuse: l.refuse}
	if p.create != "" {
		if _, err := env.Client.Query(ctx, p.create); err != nil {
			return nil, fmt.Errorf("create table %s: %w", p.name, err)
		}
	}
	resumed, err := l.open(env)
	if err != nil {
		return nil, err
	}
	if resumed {
		env.Say("Going on with a load that was ended: %s rows were loaded.", Count(l.state.Loaded))
	}
	l.progress = &progress{bytes: p.source.read.Load, total: p.source.size, begin: l.state.Loaded, start: env.Now(),
		now: env.Now}
	l.progress.rows.Store(l.state.Loaded)
	l.progress.rejected.Store(l.state.Rejected)
	stop := l.progress.show(env.Screen, env.Width)
	err = l.all(ctx)
	stop()
	return l, l.end(env, err)
}

// open opens the state and the rejects.
func (l *load) open(env Env) (resumed bool, err error) {
	o, s := l.options, l.plan.source
	statePath, rejectsPath := o.State, o.Rejects
	if statePath == "" {
		statePath = beside(s, l.plan.name, "load")
	}
	if s.sum == "" {
		statePath = "" // What cannot be read again cannot go on.
	}
	if rejectsPath == "" {
		rejectsPath = beside(s, l.plan.name, "rejects")
	}
	fresh := state{Server: env.Client.URL(), User: env.User, Table: l.plan.name.String(), Source: s.sum,
		Shape: o.shape(l.plan.format, l.plan.columns)}
	if l.state, resumed, err = openState(statePath, fresh, o.Restart); err != nil {
		return false, err
	}
	l.earlier = state{Done: slices.Clone(l.state.Done), Sent: l.state.Sent, Flight: slices.Clone(l.state.Flight)}
	l.refusals = l.state.Rejected
	l.rejects, err = openRejects(rejectsPath, l.state.RejectBytes)
	return resumed, err
}

// all reads and sends all records.
func (l *load) all(ctx context.Context) error {
	sending := ctx // An error of one batch does not cut off the others.
	if !l.plan.keyed {
		sending = context.WithoutCancel(ctx) // A batch that was cut off could not be sent again.
	}
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan *batch) // Unbuffered: what is in it is as good as sent.
	g.Go(func() error {
		defer close(batches)
		return l.read(ctx, batches)
	})
	for range l.options.Parallel {
		g.Go(func() error {
			for b := range batches {
				if err := l.deliver(sending, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// read cuts the file into batches.
func (l *load) read(ctx context.Context, batches chan<- *batch) error {
	var b *batch
	flush := func() error {
		if b == nil {
			return nil
		}
		out := b
		b = nil
		select {
		case batches <- out:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		r, err := l.plan.next()
		var bad *badRecord
		switch {
		case errors.Is(err, io.EOF):
			return flush()
		case errors.As(err, &bad):
			r.number = bad.number
		case err != nil:
			return errors.Join(fmt.Errorf("%s: %w", l.plan.source.name, err), flush())
		}
		if within(l.earlier.Done, r.number) {
			continue
		}
		again := r.number < l.earlier.Sent || within(l.earlier.Flight, r.number)
		if b != nil && (b.To != r.number || b.again != again || b.bytes > mostBatch ||
			int(b.To-b.From) >= l.options.BatchRows) {
			if err := flush(); err != nil {
				return err
			}
		}
		if b == nil {
			b = &batch{span: span{From: r.number}, again: again}
		}
		b.add(r, bad)
	}
}

// add adds a record, or one that cannot be read.
func (b *batch) add(r record, bad *badRecord) {
	b.To = r.number + 1
	if bad != nil {
		b.bad = append(b.bad, reject{record: bad.number, line: bad.line, reason: bad.reason, text: bad.text})
		return
	}
	b.records = append(b.records, r)
	for i := range r.values {
		b.bytes += len(r.values[i].text) + 4 // With what stands around it.
	}
}

// depart notes that a batch goes to the server.
func (l *load) depart(b *batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.plan.keyed:
		l.state.depart(b.span)
	case b.To <= l.state.Sent:
		return nil
	default: // Some more, so that the next batches need no write.
		l.state.Sent = b.To + int64(l.options.BatchRows)*int64(l.options.Parallel)*4
	}
	return l.state.save()
}

// deliver stores a batch and notes that it is done.
func (l *load) deliver(ctx context.Context, b *batch) error {
	out := outcome{rejected: b.bad}
	if err := l.sender.refused(&out); err != nil {
		return err
	}
	if b.again && !l.plan.keyed {
		switch l.options.Uncertain {
		case uncertainSkip:
			b.records = nil
		case "":
			return &uncertainError{fmt.Errorf("records %d to %d were sent by a run whose end is not known", b.From, b.To-1)}
		}
	}
	if err := l.depart(b); err != nil {
		return err
	}
	if err := l.sender.store(ctx, b.records, b.again, &out); err != nil {
		return err
	}
	return l.finish(b, &out)
}

// finish notes that a batch is done: its rejects first, which a state that does not know
// of them cuts off again.
func (l *load) finish(b *batch, out *outcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortFunc(out.rejected, func(a, b reject) int { return cmp.Compare(a.record, b.record) })
	if err := l.rejects.add(out.rejected); err != nil {
		return fmt.Errorf("write the file of rejects: %w", err)
	}
	if l.rejects.path == "" {
		l.shown = append(l.shown, out.rejected[:min(len(out.rejected), max(0, 10-len(l.shown)))]...)
	}
	s := l.state
	s.finish(b.span)
	s.Loaded += out.loaded
	s.Rejected += int64(len(out.rejected))
	s.RejectBytes = l.rejects.size
	l.skipped += out.skipped
	l.progress.rows.Store(s.Loaded)
	if now := l.now(); !l.plan.keyed || now.Sub(l.saved) >= stateEvery {
		l.saved = now
		return s.save()
	}
	return nil
}

// refuse counts a rejected record. It ends a load of which there are too many.
func (l *load) refuse() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals++
	l.progress.rejected.Store(l.refusals)
	if most := int64(l.options.MaxRejects); most >= 0 && l.refusals > most {
		return errTooMany
	}
	return nil
}

// end keeps the state and tells what became of the load.
func (l *load) end(env Env, err error) error {
	s := l.state
	err = errors.Join(err, l.rejects.close(), s.save())
	for _, r := range l.shown {
		env.Say("Rejected %s: %s", r.place(), r.reason)
	}
	took := env.Now().Sub(l.progress.start)
	text := fmt.Sprintf("Loaded %s rows into %s in %.3fs", Count(s.Loaded), l.plan.name, took.Seconds())
	if n := s.Loaded - l.progress.begin; took > 0 && n > 0 {
		text += fmt.Sprintf(" (%s rows/s)", Count(int64(float64(n)/took.Seconds())))
	}
	if l.skipped > 0 {
		text += fmt.Sprintf(", %s skipped whose keys were there", Count(l.skipped))
	}
	if s.Rejected > 0 {
		text += fmt.Sprintf(", %s rejected", Count(s.Rejected))
		if l.rejects.path != "" {
			text += ": " + l.rejects.path
		}
	}
	env.Say("%s", text)
	return l.explain(err)
}

// explain adds to an error what to do about it.
func (l *load) explain(err error) error {
	var u *uncertainError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &u):
		return fmt.Errorf("%w; the key of %s is not in the file, so it cannot be told whether they are stored: look, then repeat "+
			"the command with --uncertain send or --uncertain skip", err, l.plan.name)
	case errors.Is(err, errTooMany):
		err = fmt.Errorf("%w: more than %d; --max-rejects allows more", err, l.options.MaxRejects)
	}
	if l.state.path != "" {
		return fmt.Errorf("%w; the same command again goes on", err)
	}
	return err
}
