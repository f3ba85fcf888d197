package format

import (
	"fmt"
	"strconv"
	"time"

	"github.com/kalamlake/kalam"
)

// timeText returns a TIMESTAMP or DATETIME, in microseconds since 1970, in one of the
// forms of the settings. ok is false for those that the wire's own text is right for.
func timeText(k kalam.Kind, cell, form string, now func() time.Time) (text string, ok bool) {
	if k != kalam.KindTimestamp && k != kalam.KindDateTime {
		return "", false
	}
	n, err := strconv.ParseInt(cell, 10, 64)
	if err != nil {
		return "", false
	}
	t := time.UnixMicro(n).UTC()
	switch form {
	case "iso8601-date":
		return t.Format("2006-01-02"), true
	case "iso8601-datetime":
		return t.Format("2006-01-02T15:04:05"), true
	case "rfc3339":
		return t.Format(time.RFC3339), true
	case "rfc2822":
		return t.Format("Mon, 02 Jan 2006 15:04:05 -0700"), true
	case "unix-ms":
		return strconv.FormatInt(t.UnixMilli(), 10), true
	case "unix-sec":
		return strconv.FormatInt(t.Unix(), 10), true
	case "raw":
		return cell, true
	case "relative":
		return relative(now().Sub(t)), true
	}
	return "", false
}

// relative is how long ago something was, in its largest unit.
func relative(d time.Duration) string {
	words := "%d%s ago"
	if d < 0 {
		d, words = -d, "in %d%s"
	}
	const day = 24 * time.Hour
	for _, u := range []struct {
		size time.Duration
		name string
	}{{365 * day, "y"}, {30 * day, "mo"}, {day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= u.size {
			return fmt.Sprintf(words, d/u.size, u.name)
		}
	}
	return "now"
}
