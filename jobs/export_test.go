package jobs

import (
	"context"
	"time"
)

// Step does what one turn of Run's loop does and returns how long nothing else is due.
func (s *FlushScheduler) Step(ctx context.Context) time.Duration { return s.step(ctx) }

// Entries returns how many tables the scheduler holds, and how many of them have a
// due time.
func (s *FlushScheduler) Entries() (held, queued int) { return len(s.tables), len(s.queue) }
