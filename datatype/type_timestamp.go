package datatype

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var timestampType = descriptor{
	kind:      kalam.KindTimestamp,
	boundless: true,
	min:       minMicros,
	max:       maxMicros,
	parse:     parseTemporal,
	number:    numberThenCast,
	from:      instantCasts,
	format:    func(dst []byte, v kalam.Value) []byte { return appendTimestamp(dst, v.Int()) },
	cell:      appendInt,
	size:      8,
	decode:    decodeInt64,
	appendKey: appendKeyInt64,
	readKey:   readKeyInt64,
	arrow:     arrowIs(&arrow.TimestampType{Unit: arrow.Microsecond}),
	column:    func(b array.Builder) column { return instantColumn{b.(*array.TimestampBuilder)} },
	parquet:   parquetInstant(false),
	stored:    storedInstant(kalam.KindTimestamp, false),
	widens:    widensMoments,
	compare:   compareInts,
	bound:     boundDigits("TimestampMicrosecond"),
}

// instantCasts are the casts of other types to TIMESTAMP and DATETIME.
var instantCasts = [kalam.Families]caster{
	kalam.FamilyInteger: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
		if v, err := castIntegerToInteger(t, v); err != nil || !isCoarse(v.Int()) {
			return v, err
		}
		return kalam.Value{}, coarse(t, v.Int())
	},
	kalam.FamilyInstant: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
		return kalam.Integer(t.Kind, v.Int()), nil
	},
	kalam.FamilyDate: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
		if v.Int() < minDays || v.Int() > maxDays {
			return kalam.Value{}, outOfRange(t)
		}
		return kalam.Integer(t.Kind, v.Int()*microsPerDay), nil
	},
}

func parquetInstant(utc bool) func(kalam.DataType) ParquetColumn {
	return func(kalam.DataType) ParquetColumn {
		return ParquetColumn{Physical: ParquetInt64, Logical: LogicalTimestamp, Unit: 1, UTC: utc}
	}
}

func storedInstant(k kalam.Kind, utc bool) func(ParquetColumn, bool) (kalam.DataType, bool) {
	return func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		instant := c.Logical == LogicalTimestamp && c.Unit != 0 && c.UTC == utc
		return kalam.TypeOf(k), c.Physical == ParquetInt64 && instant
	}
}

func widensMoments(from *descriptor) bool {
	f := from.kind.Family()
	return f == kalam.FamilyInstant || f == kalam.FamilyDate
}

type instantColumn struct{ *array.TimestampBuilder }

func (c instantColumn) appendData(d []byte)       { c.Append(arrow.Timestamp(binary.LittleEndian.Uint64(d))) }
func (c instantColumn) appendValue(v kalam.Value) { c.Append(arrow.Timestamp(v.Int())) }
