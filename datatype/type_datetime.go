package datatype

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var dateTimeType = descriptor{
	kind:      kalam.KindDateTime,
	boundless: true,
	duck:      "TIMESTAMP WITH TIME ZONE",
	min:       minMicros,
	max:       maxMicros,
	parse:     parseTemporal,
	number:    numberThenCast,
	from:      instantCasts,
	format: func(dst []byte, v kalam.Value) []byte {
		return append(appendTimestamp(dst, v.Int()), "+00"...)
	},
	cell:      appendInt,
	size:      8,
	decode:    decodeInt64,
	appendKey: appendKeyInt64,
	readKey:   readKeyInt64,
	arrow:     arrowIs(&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}),
	column:    func(b array.Builder) column { return instantColumn{b.(*array.TimestampBuilder)} },
	parquet:   parquetInstant(true),
	stored:    storedInstant(kalam.KindDateTime, true),
	widens:    widensMoments,
	compare:   compareInts,
	bound:     boundDigits("TimestampMicrosecond"),
}
