package jobs

import (
	"context"
	"fmt"
)

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
