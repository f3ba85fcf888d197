package datatype

import (
	"time"

	"github.com/kalamlake/kalam"
)

// InZone returns the moment that v means where a DATETIME is wanted, if v is the text of one without a zone, which is
// then that of zone. ok is false for every other t and v, and without a zone: they mean what they mean everywhere.
func InZone(zone *time.Location, t kalam.DataType, v kalam.Value) (out kalam.Value, ok bool) {
	if zone == nil || t.Kind != kalam.KindDateTime || v.Kind() != kalam.KindText {
		return v, false
	}
	s := trimBlanks(v.Str())
	n, ok, fits := temporalText(kalam.KindTimestamp, s)
	if !ok || !fits || hasZone(s) {
		return v, false
	}
	wall := time.UnixMicro(n).UTC()
	year, month, day := wall.Date()
	hour, minute, second := wall.Clock()
	n = time.Date(year, month, day, hour, minute, second, wall.Nanosecond(), zone).UnixMicro()
	if n < minMicros || n > maxMicros {
		return v, false
	}
	return kalam.Integer(kalam.KindDateTime, n), true
}

// hasZone reports whether the text of a moment says its zone.
func hasZone(s string) bool {
	const date = len("2006-01-02")
	if len(s) <= date {
		return false
	}
	_, rest, _ := parseClock(s[date+1:])
	return rest != ""
}
