package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam/buffer"
)

// trimEvery is how often records are looked for that are too old.
const trimEvery = time.Hour

// Run writes what is noted, and removes what is too old or too much, until ctx ends.
func (l *Log) Run(ctx context.Context) {
	settle, trim := time.NewTicker(windowLife), time.NewTicker(trimEvery)
	defer settle.Stop()
	defer trim.Stop()
	old := true
	for {
		err := l.Settle(context.WithoutCancel(ctx), false) // What was noted is not lost because a stop comes just now.
		if old || l.config.MaxBytes > 0 && l.size.Load() > uint64(l.config.MaxBytes) {
			err = errors.Join(err, l.Trim(ctx))
		}
		if err != nil && ctx.Err() == nil {
			l.log.Error("the audit log was not written", "error", err)
		}
		old = false
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-settle.C:
		case <-trim.C:
			old = true
		}
	}
}

// Close writes what was noted and counted. Nothing may be noted any more, and Run must have returned.
//
//nolint:contextcheck // A close is waited for.
func (l *Log) Close() error {
	if err := l.Settle(context.Background(), true); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

const (
	// trimBatch is how many records are removed at once.
	trimBatch = 500
	// trimTo is to how much of audit.max_bytes, in hundredths, records are removed: not to begin again at the next one.
	trimTo = 90
)

// errEnough ends a scan.
var errEnough = errors.New("enough")

// Trim removes the oldest records: those of before the retention, and as many as are above the size. A record says
// which. The newest one stays.
func (l *Log) Trim(ctx context.Context) error {
	limit := uint64(0)
	if most := l.config.MaxBytes; most > 0 && l.size.Load() > uint64(most) {
		limit = uint64(most) / 100 * trimTo
	}
	for {
		n, err := l.trimSome(ctx, limit)
		if err != nil {
			return fmt.Errorf("remove old audit records: %w", err)
		}
		if n < trimBatch {
			return nil
		}
	}
}

// trimSome removes the oldest records that are too old, or above limit bytes, 0 for none; at most trimBatch.
func (l *Log) trimSome(ctx context.Context, limit uint64) (n int, err error) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	defer func() { l.turn <- struct{}{} }()
	before := time.Time{}
	if days := l.config.RetentionDays; days > 0 {
		before = l.now().AddDate(0, 0, -days)
	}
	next := l.chain
	var ops []buffer.Op
	err = each(ctx, l.backend, 0, func(number uint64, value []byte, damage error) error {
		if len(ops) == trimBatch || number >= l.chain.last {
			return errEnough
		}
		r, bad := decode(number, value)
		tooMuch := limit > 0 && next.bytes > limit
		if bad == nil && damage == nil && !r.Time.Before(before) && !tooMuch {
			return errEnough
		}
		if bad != nil && !tooMuch { // What is damaged is evidence, until there is no room.
			return errEnough
		}
		ops = append(ops, buffer.Op{Keyspace: Keyspace, Key: recordKey(number), Delete: true})
		next.first, next.before = number+1, r.Hash
		next.bytes -= min(next.bytes, uint64(len(value)))
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) || len(ops) == 0 {
		if errors.Is(err, errEnough) {
			err = nil
		}
		return 0, err
	}
	e := Event{Action: ActionRetention, Outcome: OK, Details: fmt.Sprintf("records %d to %d were removed", l.chain.first,
		next.first-1)}
	return len(ops), l.write(context.WithoutCancel(ctx), ops, next, false, []Event{e})
}
