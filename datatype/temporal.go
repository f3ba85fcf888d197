package datatype

import "github.com/kalamlake/kalam"

// Units of the stored times.
const (
	microsPerSecond = 1_000_000
	microsPerDay    = 24 * 60 * 60 * microsPerSecond
)

// Limits of DATE in days and of TIMESTAMP in microseconds since the epoch: the
// years 0001 to 9999, which every reader of our files understands.
const (
	minDays   = -719162
	maxDays   = 2932896
	minMicros = minDays * microsPerDay
	maxMicros = (maxDays+1)*microsPerDay - 1
)

// Limits of the integers that are refused as microseconds: as seconds they are the
// years from 1973 to 2286, as milliseconds those from 1970 to 2286, as microseconds
// the months up to April 1970.
const (
	minCoarse = 100_000_000
	maxCoarse = 10_000_000_000_000
)

// isCoarse reports whether n, given as the microseconds of a moment, is far more
// likely its seconds or milliseconds, such as Date.now() of JavaScript.
func isCoarse(n int64) bool {
	if n < 0 {
		n = -max(n, -maxCoarse)
	}
	return n >= minCoarse && n < maxCoarse
}

// coarse is the error of such a number.
func coarse(t kalam.DataType, n int64) error {
	return kalam.Errorf(kalam.CodeConstraint,
		"Type mismatch: expected %s, got %d, which looks like seconds or milliseconds since 1970; "+
			"give microseconds or a text such as '2026-01-31T12:00:00Z'", t, n)
}

// parseTemporal reads the text of a TIMESTAMP, DATETIME, DATE or TIME.
//
//	TIMESTAMP  YYYY-MM-DD[(T| )HH:MM[:SS[.f]][[ ]zone]]   zone: Z, UTC, GMT or ±HH[[:]MM]
//	DATE       YYYY-MM-DD
//	TIME       HH:MM[:SS[.f]]
//
// A zone is converted to UTC, without one the text is UTC already. f has up to
// nine digits, those beyond the microsecond are dropped.
func parseTemporal(t kalam.DataType, s string) (kalam.Value, error) {
	n, ok, fits := temporalText(t.Kind, trimBlanks(s))
	switch {
	case !ok:
		return kalam.Value{}, mismatchText(t, s)
	case !fits:
		return kalam.Value{}, outOfRange(t)
	}
	return kalam.Integer(t.Kind, n), nil
}

// temporalText is parseTemporal without the error.
func temporalText(k kalam.Kind, s string) (n int64, ok, fits bool) {
	if k == kalam.KindTime {
		n, rest, ok := parseClock(s)
		return n, ok && rest == "", true
	}
	days, rest, ok := parseDate(s)
	if !ok {
		return 0, false, false
	}
	if k == kalam.KindDate {
		return days, rest == "", true
	}
	n = days * microsPerDay
	if rest == "" {
		return n, true, true
	}
	if rest[0] != ' ' && rest[0] != 'T' && rest[0] != 't' {
		return 0, false, false
	}
	clock, rest, ok := parseClock(rest[1:])
	if !ok {
		return 0, false, false
	}
	offset, ok := parseZone(rest)
	n += clock - offset
	return n, ok, n >= minMicros && n <= maxMicros
}

// parseDate reads YYYY-MM-DD and returns the days since the epoch and the rest.
func parseDate(s string) (days int64, rest string, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, s, false
	}
	y1, ok1 := twoDigits(s)
	y2, ok2 := twoDigits(s[2:])
	m, ok3 := twoDigits(s[5:])
	d, ok4 := twoDigits(s[8:])
	y := y1*100 + y2
	if !ok1 || !ok2 || !ok3 || !ok4 || y == 0 || m < 1 || m > 12 || d < 1 || d > daysInMonth(y, m) {
		return 0, s, false
	}
	return daysFromCivil(y, m, d), s[10:], true
}

// parseClock reads HH:MM[:SS[.f]] and returns the microseconds since midnight
// and the rest.
func parseClock(s string) (micros int64, rest string, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, s, false
	}
	h, ok1 := twoDigits(s)
	m, ok2 := twoDigits(s[3:])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, s, false
	}
	micros = (h*60 + m) * 60 * microsPerSecond
	s = s[5:]
	if len(s) == 0 || s[0] != ':' {
		return micros, s, true
	}
	sec, ok := twoDigits(s[1:])
	if !ok || sec > 59 {
		return 0, s, false
	}
	micros += sec * microsPerSecond
	s = s[3:]
	if len(s) == 0 || s[0] != '.' {
		return micros, s, true
	}
	s = s[1:]
	i, unit := 0, int64(microsPerSecond)
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		unit /= 10
		micros += int64(s[i]-'0') * unit
	}
	return micros, s[i:], i >= 1 && i <= 9
}

// parseZone reads "" or a zone and returns its offset from UTC in microseconds.
func parseZone(s string) (offset int64, ok bool) {
	if s != "" && s[0] == ' ' {
		if s = s[1:]; s == "" {
			return 0, false
		}
	}
	switch s {
	case "", "Z", "z", "UTC", "utc", "GMT", "gmt":
		return 0, true
	}
	sign := int64(1)
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	s = s[1:]
	h, ok1 := twoDigits(s)
	if !ok1 || h > 15 {
		return 0, false
	}
	s = s[2:]
	var m int64
	if s != "" {
		if s[0] == ':' {
			s = s[1:]
		}
		var ok2 bool
		if m, ok2 = twoDigits(s); !ok2 || len(s) != 2 || m > 59 {
			return 0, false
		}
	}
	return sign * (h*60 + m) * 60 * microsPerSecond, true
}

// twoDigits reads the two decimal digits that s begins with.
func twoDigits(s string) (int64, bool) {
	if len(s) < 2 {
		return 0, false
	}
	a, b := s[0]-'0', s[1]-'0'
	return int64(a)*10 + int64(b), a <= 9 && b <= 9
}

// daysInMonth returns the length of month m of year y.
func daysInMonth(y, m int64) int64 {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysFromCivil returns the days from 1970-01-01 to a date of the proleptic
// Gregorian calendar. Years are counted from March, so that the leap day is
// their last.
func daysFromCivil(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yearOfEra := y - era*400
	dayOfYear := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// civilFromDays is the inverse of daysFromCivil.
func civilFromDays(days int64) (y, m, d int64) {
	days += 719468
	era := floorDiv(days, 146097)
	day := days - era*146097
	yearOfEra := (day - day/1460 + day/36524 - day/146096) / 365
	dayOfYear := day - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	month := (5*dayOfYear + 2) / 153
	d = dayOfYear - (153*month+2)/5 + 1
	m = month + 3
	y = yearOfEra + era*400
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// floorDiv returns a/b rounded towards negative infinity; b is positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendDate appends YYYY-MM-DD; years outside 0000-9999 take more places.
func appendDate(dst []byte, days int64) []byte {
	y, m, d := civilFromDays(days)
	dst = appendPadded(dst, y, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, m, 2)
	dst = append(dst, '-')
	return appendPadded(dst, d, 2)
}

// appendClock appends HH:MM:SS and, unless it is zero, the fraction without
// trailing zeros.
func appendClock(dst []byte, micros int64) []byte {
	sec := micros / microsPerSecond
	dst = appendPadded(dst, sec/3600, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, sec/60%60, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, sec%60, 2)
	if f := micros % microsPerSecond; f != 0 {
		dst = append(dst, '.')
		dst = appendPadded(dst, f, 6)
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return dst
}

// appendTimestamp appends "YYYY-MM-DD HH:MM:SS[.f]".
func appendTimestamp(dst []byte, micros int64) []byte {
	days := floorDiv(micros, microsPerDay)
	dst = appendDate(dst, days)
	dst = append(dst, ' ')
	return appendClock(dst, micros-days*microsPerDay)
}

// appendPadded appends n with at least width digits.
func appendPadded(dst []byte, n int64, width int) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	var buf [20]byte
	i := len(buf)
	for n > 0 || len(buf)-i < width {
		i--
		buf[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, buf[i:]...)
}
