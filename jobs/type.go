package jobs

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
)

// Type is a kind of job: everything that a Runner has to know of it.
type Type struct {
	Kind kalam.JobKind // Also the prefix of the ids of its jobs.
	Name string        // For people: the word of system.jobs.job_type.
	// Key returns the idempotency key of a job that was submitted without one; nil gives
	// none.
	Key func(kalam.Job) string
	// MaxRetries are the tries after the first of a job that does not say; 0 is that of
	// Options, negative none.
	MaxRetries int
	// Task returns the work of a job, for one try.
	Task func(kalam.Job) Task
	// Recover, called by Runner.Recover, repeats what a crash may have interrupted beside
	// the jobs of the records, for instance by submitting jobs. nil does nothing.
	Recover func(ctx context.Context) error
	// Schedule is a cron line as that of Runner.Schedule, at whose times Due is called,
	// which may submit jobs. "" is never.
	Schedule string
	Due      func(ctx context.Context)
}

// withDefaults returns j with what its type says of jobs that do not say it themselves.
func (t *Type) withDefaults(j kalam.Job, maxRetries int) kalam.Job {
	if j.Key == "" && t.Key != nil {
		j.Key = t.Key(j)
	}
	if j.MaxRetries == 0 {
		j.MaxRetries = t.MaxRetries
	}
	if j.MaxRetries == 0 {
		j.MaxRetries = maxRetries
	}
	j.MaxRetries = max(j.MaxRetries, 0)
	return j
}

// typeOf returns the type of a kind of job.
func (r *Runner) typeOf(kind kalam.JobKind) (*Type, error) {
	for i := range r.o.Types {
		if r.o.Types[i].Kind == kind {
			return &r.o.Types[i], nil
		}
	}
	return nil, fmt.Errorf("no task for jobs of kind %q", kind)
}

// TypeName returns the name of a kind of job, which is the kind itself where no type has it.
func (r *Runner) TypeName(kind kalam.JobKind) string {
	if t, err := r.typeOf(kind); err == nil {
		return t.Name
	}
	return string(kind)
}

// ScheduleTypes schedules the types that have a schedule. The error names the type.
func (r *Runner) ScheduleTypes() error {
	for i := range r.o.Types {
		t := &r.o.Types[i]
		if t.Schedule == "" {
			continue
		}
		if _, err := r.Schedule(t.Schedule, t.Due); err != nil {
			return fmt.Errorf("schedule jobs of type %s: %w", t.Name, err)
		}
	}
	return nil
}

// Recover calls Recover of every type, in the order of Options.Types, and stops at the
// first error.
func (r *Runner) Recover(ctx context.Context) error {
	for i := range r.o.Types {
		t := &r.o.Types[i]
		if t.Recover == nil {
			continue
		}
		if err := t.Recover(ctx); err != nil {
			return fmt.Errorf("recover for jobs of type %s: %w", t.Name, err)
		}
	}
	return nil
}
