package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/format"
)

// errEnough ends a live query that has shown what was asked for.
var errEnough = errors.New("enough")

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

// liveView shows the events of one subscription.
type liveView struct {
	*session
	sub     *link.Subscription
	cancel  context.CancelFunc
	line    []byte // Typed while it is shown.
	want    int    // Changes after which it is enough; 0 for no end.
	changes int
	initial int
	resumed bool // The connection was lost at least once.
	headed  bool // The header of csv was written.
}

// show prints one event; errEnough says that it was the last one wanted.
func (v *liveView) show(ev link.Event) error {
	switch ev.Kind {
	case link.EventState:
		v.state(ev)
		return nil
	case link.EventInitial:
		for _, row := range ev.Rows {
			v.row(ev.Kind, nil, row)
		}
		if v.initial += len(ev.Rows); ev.Last {
			v.loaded(v.initial)
			v.initial = 0
		}
	case link.EventDelete:
		v.row(ev.Kind, nil, ev.Old)
		v.changes++
	default:
		v.row(ev.Kind, ev.Old, ev.New)
		v.changes++
	}
	if err := v.out.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if v.want > 0 && v.changes >= v.want {
		return errEnough
	}
	return nil
}

// loaded tells how many rows came at once: at the start, or after the connection
// was lost.
func (v *liveView) loaded(rows int) {
	switch {
	case !v.resumed:
		v.note("Initial data: %d rows", rows)
	case rows > 0:
		v.remark("%d rows changed meanwhile", rows)
	}
}

// state tells what happens to the connection.
func (v *liveView) state(ev link.Event) {
	switch ev.State {
	case link.StateDisconnected:
		if v.config.Verbose {
			v.remark("Connection lost: %v", ev.Err)
		}
	case link.StateConnecting:
		v.remark("Connection lost, reconnecting (attempt %d)...", ev.Attempt)
	case link.StateResumed:
		v.resumed = true
		v.remark("Reconnected, resumed from seq %d", ev.From)
	case link.StateReset:
		v.resumed = false
		v.remark("Reconnected after too long a time to resume: all rows follow anew")
	case link.StateConnected:
	}
}

// row prints a row: the new one of an update, with the old one before it.
func (v *liveView) row(kind link.EventKind, old, row link.Row) {
	columns := v.sub.Columns()
	switch v.printer.Format {
	case format.CSV:
		v.csv(columns, kind, row)
	case format.JSON, format.Envelope:
		fmt.Fprintf(v.out, `{"event":%q,`, kind)
		if old != nil {
			fmt.Fprintf(v.out, `"old":%s,`, rowJSON(columns, old))
		}
		fmt.Fprintf(v.out, "\"row\":%s}\n", rowJSON(columns, row))
	default:
		body := format.Escape(rowJSON(columns, row))
		if old != nil {
			body = format.Escape(rowJSON(columns, old)) + " ⇒ " + body
		}
		word := kind.String()
		if v.printer.Color {
			word = map[link.EventKind]string{
				link.EventInsert: "\x1b[32m", link.EventUpdate: "\x1b[33m", link.EventDelete: "\x1b[31m",
				link.EventInitial: "\x1b[34m",
			}[kind] + word + "\x1b[0m"
		}
		fmt.Fprintf(v.out, "[%s] %s → %s\n", v.config.Now().Format("15:04:05"), word, body)
	}
}

// csv prints a row with the kind of event in front.
func (v *liveView) csv(columns []link.Column, kind link.EventKind, row link.Row) {
	if !v.headed {
		names := []string{"event"}
		for _, c := range columns {
			names = append(names, csvField(c.Name, true))
		}
		fmt.Fprintln(v.out, strings.Join(names, ","))
		v.headed = true
	}
	fields := []string{kind.String()}
	for _, c := range columns {
		fields = append(fields, csvField(link.FormatCell(c.Type, row[c.Name])))
	}
	fmt.Fprintln(v.out, strings.Join(fields, ","))
}

// csvField quotes as link.Result.CSV does.
func csvField(s string, ok bool) string {
	if !ok {
		return ""
	}
	return link.QuoteCSV(s)
}

// rowJSON is a row as a JSON object, its keys in the order of the columns and
// then by name.
func rowJSON(columns []link.Column, row link.Row) string {
	var keys []string
	for _, c := range columns {
		if _, ok := row[c.Name]; ok {
			keys = append(keys, c.Name)
		}
	}
	var rest []string
	for k := range row {
		if !slices.Contains(keys, k) {
			rest = append(rest, k)
		}
	}
	slices.Sort(rest)
	var b strings.Builder
	for i, k := range append(keys, rest...) {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			continue // A string always encodes.
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(row[k])
	}
	return "{" + b.String() + "}"
}
