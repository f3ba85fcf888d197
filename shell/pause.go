package shell

import (
	"context"
	"errors"
	"strings"

	"github.com/kalamlake/kalam/shell/edit"
)

// keys returns what is typed while a live query is shown, nil if nobody can type.
func (s *session) keys() <-chan []byte {
	if e, ok := s.line.(interface{ Typed() <-chan []byte }); ok {
		return e.Typed()
	}
	return nil
}

// typed takes a stroke and reports whether it pauses the view: the key p, or \pause
// and Enter.
func (v *liveView) typed(stroke []byte) (pause bool) {
	if edit.IsText(stroke) {
		v.line = append(v.line, stroke...)
		return string(v.line) == "p" && !v.hasBackslash()
	}
	line := strings.TrimSpace(string(v.line))
	if v.line = nil; !edit.IsEnter(stroke) {
		return false
	}
	return line == `\pause`
}

func (v *liveView) hasBackslash() bool { return strings.HasPrefix(string(v.line), `\`) }

// end ends the live query.
func (v *liveView) end() {
	v.sub.Close()
	v.cancel()
}

// endPaused ends a live query that is paused.
func (s *session) endPaused() {
	if s.paused != nil {
		s.paused.end()
		s.paused = nil
		s.remark("The paused live query was ended.")
	}
}

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
