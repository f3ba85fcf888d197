package results

import (
	"strconv"
	"time"

	"github.com/kalamlake/kalam"
)

// layouts are how times are written as texts. All are UTC.
const (
	layoutDate = "2006-01-02"
	layoutTime = "15:04:05.999999"
	layoutAt   = "2006-01-02T15:04:05.999999Z"
)

// isoCell writes the time that stands in dst from an offset on, a number as the wire has it, as a text of ISO 8601.
// NULL stays, and so does a text.
func isoCell(dst []byte, from int, k kalam.Kind) []byte {
	n, err := strconv.ParseInt(string(dst[from:]), 10, 64)
	if err != nil {
		return dst
	}
	dst = append(dst[:from], '"')
	switch k.Family() {
	case kalam.FamilyDate:
		dst = time.Unix(0, 0).UTC().AddDate(0, 0, int(n)).AppendFormat(dst, layoutDate)
	case kalam.FamilyTime:
		dst = time.UnixMicro(n).UTC().AppendFormat(dst, layoutTime)
	default:
		dst = time.UnixMicro(n).UTC().AppendFormat(dst, layoutAt)
	}
	return append(dst, '"')
}

// temporal returns, for each column, its kind if its cells are times, KindNull for others.
func temporal(kinds []kalam.Kind, columns int, kind func(i int) kalam.Kind) []kalam.Kind {
	for i := range columns {
		k := kind(i)
		if !k.IsTemporal() {
			k = kalam.KindNull
		}
		kinds = append(kinds, k)
	}
	return kinds
}
