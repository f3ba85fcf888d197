package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Config is the section [audit].
type Config struct {
	RetentionDays int   `koanf:"retention_days" doc:"age at which records of system.audit_log are deleted; 0 keeps them until audit.max_bytes"`
	MaxBytes      int64 `koanf:"max_bytes" doc:"bytes of records above which the oldest are deleted"`
}

// DefaultConfig returns the configuration of a server that was told nothing.
func DefaultConfig() Config { return Config{RetentionDays: 365, MaxBytes: 1 << 30} }

// Options are what Open needs beside the backend.
type Options struct {
	Config Config
	Now    func() time.Time // nil is time.Now.
	Logger *slog.Logger     // nil discards.
}

// Log is the log of one server. It is safe for concurrent use. Run writes what is noted; without it Close does.
type Log struct {
	backend buffer.Backend
	config  Config
	now     func() time.Time
	log     *slog.Logger
	wake    chan struct{} // Has Run look for what there is to do.
	lost    atomic.Int64  // Events that could not be written.
	written atomic.Int64  // Records.
	size    atomic.Uint64 // Of chain.

	turn  chan struct{} // Holds a token while nobody writes.
	chain chain         // Whoever has the turn may use it.

	mu      sync.Mutex // guards what follows
	queue   []Event    // Noted; bounded by what a window takes.
	windows [2]window  // Of what succeeded, and of what did not.
	begun   time.Time  // Of the windows.
}

// Open reads where the log of a backend ends, and creates it at the first start. Ends that do not fit the records are
// logged and recorded: the log goes on behind them, and Verify tells more. Errors: CodeUnsupported for a log that a
// newer program wrote.
func Open(ctx context.Context, b buffer.Backend, o Options) (*Log, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := b.CreateKeyspace(ctx, Keyspace); err != nil && !errors.Is(err, buffer.ErrKeyspaceExists) {
		return nil, fmt.Errorf("create keyspace %s: %w", Keyspace, err)
	}
	l := &Log{
		backend: b, config: o.Config, now: o.Now, log: o.Logger, wake: make(chan struct{}, 1),
		turn: make(chan struct{}, 1), begun: o.Now(),
	}
	l.clearWindows()
	l.turn <- struct{}{}
	wrong, err := l.findEnds(ctx)
	if err != nil || wrong == "" {
		return l, err
	}
	l.log.Error("the audit log was damaged", "what", wrong)
	return l, l.Append(ctx, Event{Action: ActionDamage, Outcome: kalam.CodeCorrupt.String(), Details: wrong})
}

// findEnds reads the ends of the chain. wrong says what does not fit.
func (l *Log) findEnds(ctx context.Context) (wrong string, err error) {
	raw, err := l.backend.Get(ctx, Keyspace, []byte(keyChain))
	if err == nil {
		l.chain, err = decodeChain(raw)
	}
	switch {
	case kalam.CodeOf(err) == kalam.CodeUnsupported:
		return "", err
	case err == nil:
		l.size.Store(l.chain.bytes)
		return l.lastFits(ctx)
	case kalam.CodeOf(err) == kalam.CodeCorrupt:
		wrong = err.Error()
	case !errors.Is(err, buffer.ErrKeyNotFound):
		return "", fmt.Errorf("read audit log: %w", err)
	}
	// Without ends the log goes on behind the newest record that there is.
	l.chain = chain{first: 1}
	err = each(ctx, l.backend, 0, func(number uint64, value []byte, damage error) error {
		if l.chain.bytes == 0 {
			l.chain.first = max(number, 1)
		}
		l.chain.last, l.chain.bytes = number, l.chain.bytes+uint64(len(value))+1
		if h, _, err := split(number, value); err == nil && damage == nil {
			l.chain.hash = h
		}
		if wrong == "" {
			wrong = "the ends of the log are missing"
		}
		return nil
	})
	l.size.Store(l.chain.bytes)
	return wrong, err
}

// lastFits says what is wrong with the newest record, by the ends of the log.
func (l *Log) lastFits(ctx context.Context) (wrong string, err error) {
	if _, err := l.backend.Get(ctx, Keyspace, recordKey(l.chain.last+1)); err == nil {
		return fmt.Sprintf("record %d is behind the last, and will be overwritten", l.chain.last+1), nil
	}
	if l.chain.last < l.chain.first {
		return "", nil
	}
	raw, err := l.backend.Get(ctx, Keyspace, recordKey(l.chain.last))
	var damage *buffer.DamageError
	switch {
	case errors.Is(err, buffer.ErrKeyNotFound):
		return fmt.Sprintf("record %d, the last, is missing", l.chain.last), nil
	case errors.As(err, &damage):
		return damage.Error(), nil
	case err != nil:
		return "", err
	}
	switch h, _, err := split(l.chain.last, raw); {
	case kalam.CodeOf(err) == kalam.CodeUnsupported:
		return "", err
	case err != nil:
		return err.Error(), nil //nolint:nilerr // It is the damage.
	case h != l.chain.hash:
		return fmt.Sprintf("record %d, the last, is another", l.chain.last), nil
	}
	return "", nil
}

// Append writes events; they are durable on return. Their times are set. It waits for the disk and must be called for
// what may not be lost, by those alone who may do it.
func (l *Log) Append(ctx context.Context, events ...Event) error {
	return l.batch(ctx, nil, false, events)
}

// batch applies ops and the records of events as one batch.
func (l *Log) batch(ctx context.Context, ops []buffer.Op, bulk bool, events []Event) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { l.turn <- struct{}{} }()
	return l.write(context.WithoutCancel(ctx), ops, l.chain, bulk, events)
}

// write is batch for who has the turn. next is the chain that the ops lead to.
func (l *Log) write(ctx context.Context, ops []buffer.Op, next chain, bulk bool, events []Event) error {
	for i := range events {
		e := events[i].bounded()
		if e.Time.IsZero() {
			e.Time = l.now().UTC().Truncate(time.Microsecond)
		}
		value, h, err := encode(&e, next.last+1, next.hash)
		if err != nil {
			return err
		}
		next.last, next.hash, next.bytes = next.last+1, h, next.bytes+uint64(len(value))
		ops = append(ops, buffer.Op{Keyspace: Keyspace, Key: recordKey(next.last), Value: value, Bulk: bulk})
	}
	ops = append(ops, buffer.Op{Keyspace: Keyspace, Key: []byte(keyChain), Value: next.encode()})
	if err := l.backend.Apply(ctx, ops); err != nil {
		return err
	}
	l.chain = next
	l.size.Store(next.bytes)
	l.written.Add(int64(len(events)))
	if l.config.MaxBytes > 0 && next.bytes > uint64(l.config.MaxBytes) {
		l.awaken()
	}
	return nil
}

// awaken has Run look for work.
func (l *Log) awaken() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Newest calls f for the newest records, at most a number of them, oldest first.
func (l *Log) Newest(ctx context.Context, most uint64, f func(Record) error) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ends := l.chain
	l.turn <- struct{}{}
	first := ends.first
	if ends.last >= most {
		first = max(first, ends.last-most+1)
	}
	return Scan(ctx, l.backend, first, func(r Record) error {
		if r.Number > ends.last { // Written since.
			return nil
		}
		return f(r)
	})
}

// Stats are figures of a log.
type Stats struct {
	Written int64  // Records since Open.
	Lost    int64  // Events since Open that could not be written.
	Bytes   uint64 // Of all records.
}

// Stats returns the figures.
func (l *Log) Stats() Stats {
	return Stats{Written: l.written.Load(), Lost: l.lost.Load(), Bytes: l.size.Load()}
}
