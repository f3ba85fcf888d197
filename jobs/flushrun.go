package jobs

import (
	"context"
	"time"
)

// Run submits flushes as they fall due, until ctx ends; it returns nil then.
func (s *FlushScheduler) Run(ctx context.Context) error {
	timer := time.NewTimer(longestPause)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(s.step(ctx))
		select {
		case <-ctx.Done():
		case <-s.o.Marks.Grown():
		case <-s.news:
		case <-timer.C:
		}
	}
	return nil
}

// step looks at what happened, submits what is due and returns how long nothing
// else will be.
func (s *FlushScheduler) step(ctx context.Context) time.Duration {
	now := s.o.Now()
	ended, changed := s.takeNews()
	for i := range ended {
		s.note(&ended[i], now)
	}
	for _, n := range append(changed, s.o.Marks.TakeGrown()...) {
		s.look(n, now)
	}
	for len(s.queue) > 0 && !s.queue[0].at.After(now) {
		t := s.queue[0]
		s.look(t.number, now) // Since it was queued it may have been flushed, or dropped.
		if t.place == 0 && !t.at.After(now) {
			s.submit(ctx, t, t.trigger, now)
		}
	}
	s.relieve(ctx, now)
	return s.pause(now)
}

// pause is the time to the next step if nothing happens.
func (s *FlushScheduler) pause(now time.Time) time.Duration {
	pause := longestPause
	if s.full {
		pause = fullPause
	}
	if len(s.queue) > 0 {
		pause = min(pause, s.queue[0].at.Sub(now))
	}
	return max(pause, 0)
}
