package maintain

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// lastFlushes knows what started the last flush of each table that moved rows. It reads the
// records of jobs once, when somebody asks first, and hears of each flush that ends
// afterwards. It is safe for concurrent use.
type lastFlushes struct {
	mu     sync.Mutex // guards the fields below
	loaded bool
	tables map[kalam.TableNumber]lastFlush
}

// lastFlush is what is known of a flush.
type lastFlush struct {
	at      time.Time // Its end.
	trigger jobs.Trigger
}

// jobRecords are the records of jobs; package catalog has them.
type jobRecords interface {
	Jobs(ctx context.Context) iter.Seq2[kalam.Job, error]
}

// note takes in the end of a job.
func (l *lastFlushes) note(j *kalam.Job) {
	if j.Kind != KindFlush || j.Status != kalam.JobCompleted {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if was := l.tables[j.Number]; j.FinishedAt.Before(was.at) {
		return
	}
	if l.tables == nil {
		l.tables = map[kalam.TableNumber]lastFlush{}
	}
	l.tables[j.Number] = lastFlush{at: j.FinishedAt, trigger: triggerOf(j)}
}

// of returns the trigger of the last flush of a table, "" when none is on record.
func (l *lastFlushes) of(ctx context.Context, records jobRecords, n kalam.TableNumber) (jobs.Trigger, error) {
	l.mu.Lock()
	loaded := l.loaded
	l.mu.Unlock()
	if !loaded {
		for j, err := range records.Jobs(ctx) {
			if err != nil {
				return "", fmt.Errorf("read what started the last flush: %w", err)
			}
			l.note(&j)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded = true
	return l.tables[n].trigger, nil
}

// forget drops what is known of a table.
func (l *lastFlushes) forget(n kalam.TableNumber) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tables, n)
}
