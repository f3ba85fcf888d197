package shell

import (
	"context"
	"errors"
)

// metaPause tells how a live query is paused: it cannot be shown while this runs.
func (s *session) metaPause(_ context.Context, args string) error {
	switch {
	case s.paused == nil:
		return errors.New(`no live query is shown; while one is, p or \pause pauses it`)
	case args == "off":
		s.endPaused()
		return nil
	}
	s.remark(`The live query is paused; \continue shows what was held, \pause off ends it.`)
	return nil
}

// metaContinue shows a paused live query again, what was held first.
func (s *session) metaContinue(ctx context.Context, _ string) error {
	v := s.paused
	if v == nil {
		return errors.New("no live query is paused")
	}
	s.paused, v.line = nil, nil
	v.sub.Resume()
	if s.watch(ctx, v) != ExitOK {
		return errShown
	}
	return nil
}

// metaUnsubscribe ends a paused live query. One that is shown ends with Ctrl+C.
func (s *session) metaUnsubscribe(context.Context, string) error {
	if s.paused == nil {
		return errors.New("no live query is paused; Ctrl+C ends one that is shown")
	}
	s.endPaused()
	return nil
}
