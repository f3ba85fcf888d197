package jobs

import (
	"fmt"
	"strings"
	"time"
)

// Trigger says what started a flush.
type Trigger string

// The triggers.
const (
	TriggerRows     Trigger = "rows"     // So many row versions were buffered.
	TriggerBytes    Trigger = "bytes"    // So many bytes were buffered.
	TriggerInterval Trigger = "interval" // The oldest buffered row was so old.
	TriggerCron     Trigger = "cron"     // A tick of the table's FLUSH_CRON.
	TriggerSchedule Trigger = "schedule" // A tick of flush.schedule.
	TriggerBuffer   Trigger = "buffer"   // The write buffer was nearly full.
	TriggerManual   Trigger = "manual"   // STORAGE FLUSH.
	TriggerShutdown Trigger = "shutdown" // The server stopped.
)

// ServerMinRows is FlushRules.MinRows of the triggers that are the server's and not
// the table's, while it is 0: many small tables would else give as many small files.
const ServerMinRows = 1000

// DefaultFlushBytes is FlushRules.Bytes of a server that was told nothing: wide rows make files
// of a good size before there are many of them.
const DefaultFlushBytes = 64 << 20

// FlushPolicy is what a table says about its flushes. The zero value says nothing.
type FlushPolicy struct {
	Manual   bool          // Nothing but STORAGE FLUSH and the end of the server.
	Rows     int64         // 0: no such trigger.
	Interval time.Duration // 0: no such trigger.
	Cron     *Schedule     // nil: no such trigger.
}

func (p FlushPolicy) isDefault() bool {
	return !p.Manual && p.Rows == 0 && p.Interval == 0 && p.Cron == nil
}

// FlushRules are the rules of the server. They turn a policy and what is buffered
// into a time, and are the whole decision: they know no clock and no table.
type FlushRules struct {
	Rows     int64         // Of tables without a policy.
	Bytes    int64         // Of tables without a policy; 0: no such trigger.
	Interval time.Duration // Of tables without a policy, and of what waits for MinRows. At least 1 s.
	Schedule *Schedule     // nil: none.
	// MinRows is the least a flush is worth: with fewer rows every trigger but the
	// interval and the bytes waits until the oldest row is as old as the interval. 0: a table's own
	// triggers do not wait, those of the server wait for ServerMinRows.
	MinRows int64
}

// FlushDue says when a table falls due if nothing more is written to it.
type FlushDue struct {
	At      time.Time // Zero: never. In the past: at once.
	Trigger Trigger
	AskAt   int64 // At so many rows the answer may be another; 0: at none.
	// AskAtBytes is the like of bytes.
	AskAtBytes int64
}

// Due decides about a table with the policy p of which rows versions of so many bytes are
// buffered, the oldest since the given time. Of several triggers the first one counts.
func (r *FlushRules) Due(p FlushPolicy, rows, bytes int64, since time.Time) FlushDue {
	if p.Manual || rows == 0 {
		return FlushDue{}
	}
	mostBytes := int64(0)
	if p.isDefault() {
		p.Rows, p.Interval, mostBytes = r.Rows, r.Interval, r.Bytes
	}
	d := dueSoFar{rows: rows, aged: since.Add(p.Interval)}
	if p.Interval == 0 {
		d.aged = since.Add(r.Interval)
	}
	if p.Rows > 0 && rows >= p.Rows {
		d.met(since, TriggerRows, r.MinRows)
	} else {
		d.ask(p.Rows)
	}
	switch {
	case mostBytes > 0 && bytes >= mostBytes:
		d.at(since, TriggerBytes)
	case mostBytes > 0:
		d.due.AskAtBytes = mostBytes
	}
	if p.Interval > 0 {
		d.at(d.aged, TriggerInterval)
	}
	if p.Cron != nil {
		d.met(p.Cron.Next(since), TriggerCron, r.MinRows)
	}
	if r.Schedule != nil {
		d.met(r.Schedule.Next(since), TriggerSchedule, r.serverMinRows())
	}
	return d.due
}

// serverMinRows is MinRows of the server's own triggers.
func (r *FlushRules) serverMinRows() int64 {
	if r.MinRows == 0 {
		return ServerMinRows
	}
	return r.MinRows
}

// dueSoFar gathers the triggers of a table.
type dueSoFar struct {
	rows int64
	aged time.Time // The oldest row is as old as the interval.
	due  FlushDue
}

// at adds a trigger that is met at a time; zero is never.
func (d *dueSoFar) at(t time.Time, trigger Trigger) {
	if !t.IsZero() && (d.due.At.IsZero() || t.Before(d.due.At)) {
		d.due.At, d.due.Trigger = t, trigger
	}
}

// met adds a trigger that is met at a time but is not worth fewer than least rows
// before the interval is over.
func (d *dueSoFar) met(t time.Time, trigger Trigger, least int64) {
	if d.rows < least && d.aged.After(t) && !t.IsZero() {
		d.ask(least)
		t, trigger = d.aged, TriggerInterval
	}
	d.at(t, trigger)
}

// ask notes that the answer may be another at so many rows.
func (d *dueSoFar) ask(rows int64) {
	if rows > d.rows && (d.due.AskAt == 0 || rows < d.due.AskAt) {
		d.due.AskAt = rows
	}
}

// Describe words what flushes a table with the policy p: "Manual", "Cron (@hourly)",
// "Auto (300s/10000 rows)", "Auto (60s)", "Auto (50 rows, cron 0 3 * * *)". Bytes are named
// when they are not DefaultFlushBytes.
func (r *FlushRules) Describe(p FlushPolicy) string {
	if p.Manual {
		return "Manual"
	}
	bytes := int64(0)
	if p.isDefault() {
		p.Rows, p.Interval, bytes = r.Rows, r.Interval, r.Bytes
	}
	var first, list []string
	if p.Interval > 0 {
		first = append(first, fmt.Sprintf("%ds", int64(p.Interval/time.Second)))
	}
	if p.Rows > 0 {
		first = append(first, fmt.Sprintf("%d rows", p.Rows))
	}
	if bytes > 0 && bytes != DefaultFlushBytes {
		first = append(first, fmt.Sprintf("%d bytes", bytes))
	}
	if len(first) > 0 {
		list = append(list, strings.Join(first, "/"))
	}
	if p.Cron != nil {
		list = append(list, "cron "+p.Cron.String())
	}
	if r.Schedule != nil {
		list = append(list, "schedule "+r.Schedule.String())
	}
	if len(first) == 0 && r.Schedule == nil {
		return "Cron (" + p.Cron.String() + ")"
	}
	return "Auto (" + strings.Join(list, ", ") + ")"
}
