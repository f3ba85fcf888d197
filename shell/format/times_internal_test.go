package format

import (
	"testing"
	"time"

	"github.com/kalamlake/kalam"
)

func TestTimeText(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 9, 5, 0, time.UTC) }
	const cell = "1767323045123456" // 2026-01-02T03:04:05.123456Z
	for form, want := range map[string]string{
		"iso8601-date": "2026-01-02", "raw": "1767323045123456", "iso8601-datetime": "2026-01-02T03:04:05", "rfc3339": "2026-01-02T03:04:05Z",
		"rfc2822": "Fri, 02 Jan 2026 03:04:05 +0000", "unix-ms": "1767323045123", "unix-sec": "1767323045",
		"relative": "4m ago", "iso8601": "",
	} {
		got, ok := timeText(kalam.KindTimestamp, cell, form, now)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t, want %q", form, got, ok, want)
		}
	}
	for _, c := range []struct {
		kind kalam.Kind
		cell string
	}{{kalam.KindBigInt, cell}, {kalam.KindDate, "5"}, {kalam.KindTimestamp, "null"}, {kalam.KindTimestamp, `"x"`}} {
		if got, ok := timeText(c.kind, c.cell, "unix-sec", now); ok {
			t.Errorf("%v %s: %q", c.kind, c.cell, got)
		}
	}
}

func TestRelative(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "now", 900 * time.Millisecond: "now", 59 * time.Second: "59s ago",
		3 * time.Hour: "3h ago", 49 * time.Hour: "2d ago",
		70 * 24 * time.Hour: "2mo ago", 800 * 24 * time.Hour: "2y ago", -90 * time.Second: "in 1m",
	} {
		if got := relative(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
