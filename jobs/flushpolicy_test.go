package jobs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

func schedule(t *testing.T, line string) *jobs.Schedule {
	t.Helper()
	s, err := jobs.ParseSchedule(line)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseSchedule(t *testing.T) {
	at := time.Date(2026, 2, 27, 22, 58, 59, 5e8, time.UTC)
	tests := []struct{ line, next string }{
		{"* * * * *", "2026-02-27T22:59:00Z"},
		{"  */15 * * * *  ", "2026-02-27T23:00:00Z"},
		{"0 3 * * *", "2026-02-28T03:00:00Z"},
		{"30 4 1 * SUN", "2026-03-01T04:30:00Z"},
		{"0 0 29 2 *", "2028-02-29T00:00:00Z"},
		{"@hourly", "2026-02-27T23:00:00Z"},
		{"@daily", "2026-02-28T00:00:00Z"},
		{"@midnight", "2026-02-28T00:00:00Z"},
		{"@weekly", "2026-03-01T00:00:00Z"},
		{"@monthly", "2026-03-01T00:00:00Z"},
		{"@yearly", "2027-01-01T00:00:00Z"},
		{"@every 2s", "2026-02-27T22:59:00Z"},
		{"@every 7s", "2026-02-27T22:59:01Z"},
		{"@every 1h30m", "2026-02-28T00:00:00Z"},
		{"@every 8784h", "2027-02-13T00:00:00Z"},
	}
	for _, tt := range tests {
		s := schedule(t, tt.line)
		if got := s.Next(at).Format(time.RFC3339Nano); got != tt.next {
			t.Errorf("%q after %s: %s, want %s", tt.line, at, got, tt.next)
		}
		if got := s.Next(at.In(time.FixedZone("x", 5*3600))); !got.Equal(s.Next(at)) {
			t.Errorf("%q depends on the zone of the time: %s", tt.line, got)
		}
		if tick := s.Next(at); !s.Next(tick).After(tick) {
			t.Errorf("%q: the tick after %s is %s", tt.line, tick, s.Next(tick))
		}
		if s.String() != strings.TrimSpace(tt.line) {
			t.Errorf("%q is shown as %q", tt.line, s)
		}
	}
	bad := []struct{ line, says string }{
		{"", "it is empty"},
		{"   ", "it is empty"},
		{"* * * *", "expected exactly 5 fields, found 4"},
		{"* * * * * *", "expected exactly 5 fields, found 6"},
		{"60 * * * *", "end of range (60) above maximum (59)"},
		{"*/0 * * * *", "step of range should be a positive number"},
		{"daily", "expected exactly 5 fields"},
		{"@reboot", "unrecognized descriptor"},
		{"0 0 30 2 *", "this time never comes"},
		{"TZ=Asia/Tokyo 0 5 * * *", "a time zone cannot be given here; FLUSH_CRON has FLUSH_CRON_TZ"},
		{"TZ=0", "a time zone cannot be given here; FLUSH_CRON has FLUSH_CRON_TZ"},
		{"CRON_TZ=UTC", "a time zone cannot be given here; FLUSH_CRON has FLUSH_CRON_TZ"},
		{"@every", "@every takes whole seconds"},
		{"@every 5", "@every takes whole seconds"},
		{"@every -5s", "@every takes whole seconds"},
		{"@every 0s", "@every takes whole seconds"},
		{"@every 1500ms", "@every takes whole seconds"},
		{"@every 9000h", "@every takes whole seconds"},
		{"@every 2562047h", "@every takes whole seconds"},
		{strings.Repeat("1,", 50_000) + "1 * * * *", "it is too long"},
	}
	for _, tt := range bad {
		_, err := jobs.ParseSchedule(tt.line)
		if kalam.CodeOf(err) != kalam.CodeInvalidInput || !strings.Contains(err.Error(), tt.says) ||
			len(err.Error()) > 600 {
			t.Errorf("ParseSchedule(%.40q) = %v, want an error with %q", tt.line, err, tt.says)
		}
	}
}

// TestDue checks the decision about one table: what it waits for, and which trigger
// is the first.
func TestDue(t *testing.T) {
	since := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	nightly, hourly := schedule(t, "0 3 * * *"), schedule(t, "@hourly")
	const never = -time.Second
	rules := jobs.FlushRules{Rows: 10_000, Interval: 300 * time.Second}
	least, scheduled, both := rules, rules, rules
	least.MinRows = 100
	scheduled.Schedule = hourly
	both.MinRows, both.Schedule = 100, hourly
	tests := []struct {
		name   string
		rules  jobs.FlushRules
		policy jobs.FlushPolicy
		rows   int64
		after  time.Duration
		by     jobs.Trigger
		ask    int64
	}{
		{"nothing is buffered", rules, jobs.FlushPolicy{}, 0, never, "", 0},
		{"no policy, few rows", rules, jobs.FlushPolicy{}, 1, 300 * time.Second, "interval", 10_000},
		{"no policy, many rows", rules, jobs.FlushPolicy{}, 10_000, 0, "rows", 0},
		{"manual", rules, jobs.FlushPolicy{Manual: true}, 1e9, never, "", 0},
		{"manual, least, schedule", both, jobs.FlushPolicy{Manual: true}, 1e9, never, "", 0},
		{"rows, too few", rules, jobs.FlushPolicy{Rows: 50}, 49, never, "", 50},
		{"rows", rules, jobs.FlushPolicy{Rows: 50}, 50, 0, "rows", 0},
		{"interval", rules, jobs.FlushPolicy{Interval: 2 * time.Second}, 1e9, 2 * time.Second, "interval", 0},
		{"rows or interval: interval", rules, jobs.FlushPolicy{Rows: 50, Interval: 2 * time.Second}, 49,
			2 * time.Second, "interval", 50},
		{"rows or interval: rows", rules, jobs.FlushPolicy{Rows: 50, Interval: 2 * time.Second}, 51, 0, "rows", 0},
		{"cron", rules, jobs.FlushPolicy{Cron: nightly}, 1e9, 17 * time.Hour, "cron", 0},
		{"cron or interval", rules, jobs.FlushPolicy{Cron: nightly, Interval: time.Hour}, 1, time.Hour, "interval", 0},
		{"cron or rows", rules, jobs.FlushPolicy{Cron: nightly, Rows: 5}, 1, 17 * time.Hour, "cron", 5},

		{"least: rows wait for the interval", least, jobs.FlushPolicy{Rows: 50, Interval: 9 * time.Second}, 50,
			9 * time.Second, "interval", 100},
		{"least: rows wait for the server's interval", least, jobs.FlushPolicy{Rows: 50}, 50, 300 * time.Second,
			"interval", 100},
		{"least: below the table's rows nothing waits", least, jobs.FlushPolicy{Rows: 50}, 49, never, "", 50},
		{"least: rows", least, jobs.FlushPolicy{Rows: 50}, 100, 0, "rows", 0},
		{"least: cron after the interval", least, jobs.FlushPolicy{Cron: nightly}, 1, 17 * time.Hour, "cron", 0},
		{"least: cron before the interval", least, jobs.FlushPolicy{Cron: schedule(t, "* * * * *")}, 1,
			300 * time.Second, "interval", 100},
		{"least: cron", least, jobs.FlushPolicy{Cron: schedule(t, "* * * * *")}, 100, time.Minute, "cron", 0},

		{"schedule, no policy", scheduled, jobs.FlushPolicy{}, 1, 300 * time.Second, "interval", 10_000},
		{"schedule, few rows of long ago", scheduled, jobs.FlushPolicy{Rows: 50}, 1, time.Hour, "schedule", 50},
		{"schedule before the interval, few rows", scheduled, jobs.FlushPolicy{Interval: 2 * time.Hour}, 999,
			2 * time.Hour, "interval", 1000},
		{"schedule before the interval", scheduled, jobs.FlushPolicy{Interval: 2 * time.Hour}, 1000, time.Hour,
			"schedule", 0},
		{"schedule, least", both, jobs.FlushPolicy{Interval: 2 * time.Hour}, 100, time.Hour, "schedule", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.rules.Due(tt.policy, tt.rows, 0, since)
			after := never
			if !got.At.IsZero() {
				after = got.At.Sub(since)
			}
			if after != tt.after || got.Trigger != tt.by || got.AskAt != tt.ask {
				t.Errorf("due after %s by %q, ask at %d; want %s, %q, %d", after, got.Trigger, got.AskAt, tt.after,
					tt.by, tt.ask)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	rules := jobs.FlushRules{Rows: 10_000, Interval: 300 * time.Second}
	hourly := rules
	hourly.Schedule = schedule(t, "@hourly")
	two := schedule(t, "@every 2s")
	tests := []struct {
		rules  jobs.FlushRules
		policy jobs.FlushPolicy
		want   string
	}{
		{rules, jobs.FlushPolicy{}, "Auto (300s/10000 rows)"},
		{rules, jobs.FlushPolicy{Manual: true}, "Manual"},
		{rules, jobs.FlushPolicy{Rows: 50}, "Auto (50 rows)"},
		{rules, jobs.FlushPolicy{Interval: time.Minute}, "Auto (60s)"},
		{rules, jobs.FlushPolicy{Rows: 50, Interval: time.Minute, Cron: two}, "Auto (60s/50 rows, cron @every 2s)"},
		{rules, jobs.FlushPolicy{Cron: two}, "Cron (@every 2s)"},
		{hourly, jobs.FlushPolicy{Manual: true}, "Manual"},
		{hourly, jobs.FlushPolicy{}, "Auto (300s/10000 rows, schedule @hourly)"},
		{hourly, jobs.FlushPolicy{Cron: two}, "Auto (cron @every 2s, schedule @hourly)"},
	}
	for _, tt := range tests {
		if got := tt.rules.Describe(tt.policy); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.policy, got, tt.want)
		}
	}
}

// TestDueByBytes checks the trigger of the server's bytes.
func TestDueByBytes(t *testing.T) {
	since := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	rules := jobs.FlushRules{Rows: 10_000, Bytes: 1000, Interval: 300 * time.Second, MinRows: 100}
	tests := []struct {
		name   string
		policy jobs.FlushPolicy
		bytes  int64
		after  time.Duration
		by     jobs.Trigger
		ask    int64
	}{
		{"too few", jobs.FlushPolicy{}, 999, 300 * time.Second, "interval", 1000},
		{"enough, of few rows", jobs.FlushPolicy{}, 1000, 0, "bytes", 0},
		{"a table with a policy has what it gives", jobs.FlushPolicy{Interval: time.Hour}, 5000, time.Hour,
			"interval", 0},
	}
	for _, tt := range tests {
		got := rules.Due(tt.policy, 2, tt.bytes, since)
		if got.At.Sub(since) != tt.after || got.Trigger != tt.by || got.AskAtBytes != tt.ask {
			t.Errorf("%s: %+v; want after %s by %s, ask at %d", tt.name, got, tt.after, tt.by, tt.ask)
		}
	}
}

// TestScheduleInZone checks lines in zones that set their clocks: a line with fixed hours
// has each time of the clock once.
func TestScheduleInZone(t *testing.T) {
	tests := []struct {
		name, line, zone, after string
		next                    []string
	}{
		{"winter", "0 3 * * *", "Europe/Berlin", "2026-01-10T00:00:00Z", []string{"2026-01-10T02:00:00Z",
			"2026-01-11T02:00:00Z"}},
		{"clocks go on", "0 3 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"}},
		{"a time that is skipped", "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"just after the change", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:10:00Z",
			[]string{"2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"a time that comes twice", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:00:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"every hour goes on", "0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		{"half an hour off", "0 9 * * MON", "Asia/Kolkata", "2026-03-01T00:00:00Z",
			[]string{"2026-03-02T03:30:00Z", "2026-03-09T03:30:00Z"}},
		{"@daily", "@daily", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"}},
		{"@every has no zone", "@every 6h", "Asia/Kolkata", "2026-03-07T01:00:00Z", []string{"2026-03-07T06:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := jobs.ParseScheduleIn(tt.line, zone(t, tt.zone))
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.next {
				if at = s.Next(at); at.Format(time.RFC3339) != want {
					t.Fatalf("tick %s, want %s", at.Format(time.RFC3339), want)
				}
			}
		})
	}
	for _, name := range []string{"Mars/Olympus", "Local", "local", "../etc/passwd", strings.Repeat("x", 1000)} {
		if _, err := jobs.ParseZone(name); kalam.CodeOf(err) != kalam.CodeInvalidInput || len(err.Error()) > 300 {
			t.Errorf("ParseZone(%.20q): %v", name, err)
		}
	}
}

// TestZonesOfAYear compares every tick of lines in zones for a year and a half with what clocks
// show minute by minute: none is missed, none is doubled.
func TestZonesOfAYear(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		at := zone(t, name)
		s, err := jobs.ParseScheduleIn("15 1,2 * * *", at)
		if err != nil {
			t.Fatal(err)
		}
		shown, n := map[string]bool{}, 0
		for tick := s.Next(start); tick.Before(start.AddDate(1, 6, 0)); tick = s.Next(tick) {
			n++
			key := tick.In(at).Format("2006-01-02 15:04")
			if shown[key] {
				t.Errorf("%s: two ticks at %s", name, key)
			}
			shown[key] = true
		}
		for m := start; m.Before(start.AddDate(1, 6, 0)); m = m.Add(time.Minute) {
			l := m.In(at)
			if l.Minute() == 15 && (l.Hour() == 1 || l.Hour() == 2) && !shown[l.Format("2006-01-02 15:04")] {
				t.Errorf("%s: no tick at %s", name, l)
			}
		}
		t.Logf("%s: %d ticks", name, n)
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := jobs.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}
