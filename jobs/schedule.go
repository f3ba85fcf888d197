package jobs

import (
	"strings"
	"time"
	_ "time/tzdata" // The server may run where the system has no zones.

	"github.com/robfig/cron/v3"

	"github.com/kalamlake/kalam"
)

// Bounds of a Schedule.
const (
	maxScheduleLine = 200 // Bytes of a line.
	maxEvery        = 366 * 24 * time.Hour
)

// scheduleForms is how messages list what a schedule may be.
const scheduleForms = "five fields 'minute hour day month weekday', @hourly, @daily, @weekly, @monthly, @yearly, " +
	"or @every with a duration such as 10m"

// Schedule is a line that names times, its ticks: a cron line of five fields, a
// word such as @hourly, or "@every 10m", whose ticks are the multiples of the
// duration since 1970. They do not depend on when the server started, so that a tick
// that nobody was there to see is known afterwards. Cron lines are in a time zone. A line
// with fixed hours has one tick for each time of the clock that it names, also where that is
// skipped (the tick is as much later as the clock was set forward) or comes twice (the
// first counts). One with * for the hours goes on through such a change.
type Schedule struct {
	line string
	cron cron.Schedule // nil for @every.
	step time.Duration // Of @every.
	zone *time.Location
	// fixed says that the line names hours: its ticks are times of the clock.
	fixed bool
}

// ParseSchedule reads a line whose times are UTC, as ParseScheduleIn does.
func ParseSchedule(line string) (*Schedule, error) { return ParseScheduleIn(line, time.UTC) }

// ParseZone returns the time zone of a name of the IANA database, UTC for "". The error,
// CodeInvalidInput, names what is expected.
func ParseZone(name string) (*time.Location, error) {
	if len(name) <= kalam.MaxIdentifier && !strings.EqualFold(name, "local") {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	if len(name) > kalam.MaxIdentifier {
		name = name[:kalam.MaxIdentifier] + "..."
	}
	return time.UTC, kalam.Errorf(kalam.CodeInvalidInput,
		"unknown time zone '%s' (expected a name such as 'Europe/Berlin' or 'UTC')", name)
}

// ParseScheduleIn reads a line whose times are of a zone. The error, CodeInvalidInput, says
// what is wrong with it and what is expected; a line whose time never comes is refused too.
func ParseScheduleIn(line string, zone *time.Location) (*Schedule, error) {
	s := &Schedule{line: strings.TrimSpace(line), zone: zone}
	bad := func(why string) error {
		shown := s.line
		if len(shown) > maxScheduleLine {
			shown = shown[:maxScheduleLine] + "..."
		}
		return kalam.Errorf(kalam.CodeInvalidInput, "invalid schedule '%s': %s (expected %s)", shown, why,
			scheduleForms)
	}
	switch {
	case s.line == "":
		return nil, bad("it is empty")
	case len(s.line) > maxScheduleLine:
		return nil, bad("it is too long")
	case strings.HasPrefix(s.line, "TZ=") || strings.HasPrefix(s.line, "CRON_TZ="):
		return nil, bad("a time zone cannot be given here; FLUSH_CRON has FLUSH_CRON_TZ")
	}
	if text, ok := strings.CutPrefix(s.line, "@every"); ok {
		step, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || step < time.Second || step > maxEvery || step%time.Second != 0 {
			return nil, bad("@every takes whole seconds, from 1s to 8784h")
		}
		s.step = step
		return s, nil
	}
	parsed, err := cron.ParseStandard(s.line)
	if err != nil {
		return nil, bad(err.Error())
	}
	s.cron, s.fixed = parsed, fixedHours(s.line)
	if s.Next(time.Unix(0, 0)).IsZero() {
		return nil, bad("this time never comes")
	}
	return s, nil
}

// Next returns the first tick after t, or the zero time when none comes within
// five years.
func (s *Schedule) Next(t time.Time) time.Time {
	switch {
	case s.cron != nil && s.fixed && s.zone != time.UTC:
		return s.nextOfClock(t)
	case s.cron != nil:
		return inUTC(s.cron.Next(t.In(s.zone)))
	}
	n, step := t.UnixNano(), int64(s.step)
	return time.Unix(0, n-n%step+step).UTC()
}

// String returns the line, with its zone unless that is UTC.
func (s *Schedule) String() string {
	if s.cron == nil || s.zone == time.UTC {
		return s.line
	}
	return s.line + " " + s.zone.String()
}

// fixedHours reports whether a cron line names its hours.
func fixedHours(line string) bool {
	if fields := strings.Fields(line); len(fields) == 5 {
		return !strings.HasPrefix(fields[1], "*")
	}
	return line != "@hourly"
}

// nextOfClock returns the first tick after t of a line that names hours: it goes on in
// the time that clocks show, in which no hour is missing or comes twice.
func (s *Schedule) nextOfClock(t time.Time) time.Time {
	local := t.In(s.zone)
	shown := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(),
		local.Nanosecond(), time.UTC)
	shown = shown.Add(-longestChange) // A tick that clocks skipped is later than it says.
	for {
		if shown = s.cron.Next(shown); shown.IsZero() {
			return shown
		}
		if at := s.atClock(shown); at.After(t) {
			return at
		}
	}
}

// longestChange is more than any zone sets its clocks forward, but for those that cross the
// date line.
const longestChange = 3 * time.Hour

// atClock returns when clocks first show a time, or where they skip it the time by the clock
// as it was.
func (s *Schedule) atClock(shown time.Time) time.Time {
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := shown.Add(near).In(s.zone).Zone()
		at := shown.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(s.zone).Zone(); there == offset {
			return at
		}
	}
	_, before := shown.Add(-24 * time.Hour).In(s.zone).Zone()
	return shown.Add(-time.Duration(before) * time.Second)
}

// inUTC returns t in UTC; the zero time stays as it is.
func inUTC(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
