package jobs

import (
	"strings"
	"time"

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
// duration since 1970. All are in UTC and do not depend on when the server started,
// so that a tick that nobody was there to see is known afterwards.
type Schedule struct {
	line string
	cron cron.Schedule // nil for @every.
	step time.Duration // Of @every.
}

// ParseSchedule reads a line. The error, CodeInvalidInput, says what is wrong with
// it and what is expected; a line whose time never comes is refused too.
func ParseSchedule(line string) (*Schedule, error) {
	s := &Schedule{line: strings.TrimSpace(line)}
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
		return nil, bad("a time zone cannot be given, times are UTC")
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
	s.cron = parsed
	if s.Next(time.Unix(0, 0)).IsZero() {
		return nil, bad("this time never comes")
	}
	return s, nil
}

// Next returns the first tick after t, or the zero time when none comes within
// five years.
func (s *Schedule) Next(t time.Time) time.Time {
	if s.cron != nil {
		return s.cron.Next(t.UTC())
	}
	n, step := t.UnixNano(), int64(s.step)
	return time.Unix(0, n-n%step+step).UTC()
}

// String returns the line.
func (s *Schedule) String() string { return s.line }
