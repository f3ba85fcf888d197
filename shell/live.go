package shell

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/sqltext"
)

// subscribe shows the live query of a text, SELECT or SUBSCRIBE TO.
func (s *session) subscribe(ctx context.Context, text string) int {
	q, ok := subscription(text)
	if !ok {
		q = liveQuery{sql: text}
	}
	return s.subscribeTo(ctx, q)
}

// subscribeTo shows a live query until the number of changes asked for was
// shown, its time is over, or ctx ends. It fails if there were fewer changes, or
// the server ended it.
func (s *session) subscribeTo(ctx context.Context, q liveQuery) int {
	if q.options.LastRows == 0 && q.options.From == 0 {
		q.options.LastRows = s.config.file.LastRows
	}
	q.options.Params = s.params
	s.endPaused()
	own, cancel := context.WithCancel(context.WithoutCancel(ctx)) // A pause outlives ctx.
	stop := context.AfterFunc(ctx, cancel)
	sub, err := s.client.Subscribe(own, q.sql, q.options)
	stop()
	if err != nil {
		cancel()
		s.fail(err, q.sql)
		return ExitError
	}
	id := sub.LiveID()
	if id == "" {
		id = sub.ID()
	}
	s.note("Subscription established (live_id: %s)", id)
	return s.watch(ctx, &liveView{session: s, sub: sub, cancel: cancel, want: s.config.Count})
}

// watch shows the events of a live query until it ends or is paused.
func (s *session) watch(ctx context.Context, v *liveView) int {
	defer func() {
		if s.paused != v {
			v.end()
		}
	}()
	keys := s.keys()
	var timeout <-chan time.Time
	if d := s.config.SubscriptionTimeout; d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	for {
		select {
		case ev, ok := <-v.sub.Events():
			if !ok {
				return s.liveEnd(ctx, v)
			}
			if err := v.show(ev); errors.Is(err, errEnough) {
				return ExitOK
			} else if err != nil {
				s.fail(err, "")
				return ExitError
			}
		case stroke := <-keys:
			if v.typed(stroke) {
				s.paused = v
				v.sub.Pause()
				s.remark(`Live query paused; \continue shows what was held, \pause off ends it.`)
				return ExitOK
			}
		case <-ctx.Done():
			v.end()
			return s.liveEnd(ctx, v)
		case <-timeout:
			if v.want > 0 {
				s.remark("Timeout after %s with %d of %d changes", s.config.SubscriptionTimeout, v.changes, v.want)
				return ExitError
			}
			return ExitOK
		}
	}
}

// liveEnd is the exit code of a live query that has ended by itself or by ctx.
func (s *session) liveEnd(ctx context.Context, v *liveView) int {
	if ctx.Err() != nil {
		s.remark("Unsubscribed")
		if v.want > 0 {
			return ExitError
		}
		return ExitOK
	}
	if err := v.sub.Err(); err != nil {
		s.fail(err, "")
	} else {
		s.remark("Subscription ended by server")
	}
	return ExitError
}

// liveQuery is a live query as text asks for it.
type liveQuery struct {
	sql     string
	options link.SubscribeOptions
}

// subscription reads SUBSCRIBE TO. ok is false for any other text, also a wrong
// one: then the server says what is wrong.
func subscription(text string) (q liveQuery, ok bool) {
	fragments, err := sqltext.Split(text)
	if err != nil || len(fragments) != 1 || !startsWith(fragments[0].Text, "SUBSCRIBE") {
		return q, false
	}
	st, err := dialect.Parse(fragments[0].Text)
	to, ok := st.(*ast.SubscribeTo)
	if err != nil || !ok {
		return q, false
	}
	q.sql = to.Query
	o := to.Options
	if o == nil {
		return q, true
	}
	if o.LastRows != nil {
		q.options.LastRows = *o.LastRows
	} else {
		q.options.LastRows = link.AllRows
	}
	if o.BatchSize != nil {
		q.options.BatchSize = *o.BatchSize
	}
	if o.BufferSize != nil {
		q.options.BufferSize = *o.BufferSize
	}
	if o.From != nil {
		q.options.From = *o.From
	}
	return q, true
}

// runShown runs a request and shows its error.
func (s *session) runShown(ctx context.Context, sql string) {
	if q, live := subscription(sql); live {
		s.subscribeTo(ctx, q)
		return
	}
	if err := s.execute(ctx, sql, unnamed); err != nil {
		s.fail(err, sql)
	}
}

func (s *session) metaSubscribe(ctx context.Context, sql string) error {
	if sql == "" {
		return errors.New(`\subscribe needs a query: \subscribe SELECT * FROM ns.t`)
	}
	if s.subscribe(ctx, strings.TrimRight(sql, "; \t")) != ExitOK {
		return errShown
	}
	return nil
}
