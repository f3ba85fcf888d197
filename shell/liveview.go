package shell

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
)

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

// keys returns what is typed while a live query is shown, nil if nobody can type.
func (s *session) keys() <-chan []byte {
	if e, ok := s.line.(interface{ Typed() <-chan []byte }); ok {
		return e.Typed()
	}
	return nil
}

// endPaused ends a live query that is paused.
func (s *session) endPaused() {
	if s.paused != nil {
		s.paused.end()
		s.paused = nil
		s.remark("The paused live query was ended.")
	}
}

// errEnough ends a live query that has shown what was asked for.
var errEnough = errors.New("enough")
