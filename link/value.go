package link

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/kalamlake/kalam"
)

// Value returns a cell of type t as a Go value: nil for NULL, bool, int64, float64, string for TEXT, UUID and DECIMAL
// (with every digit), time.Time in UTC for TIMESTAMP, DATETIME and DATE, time.Duration since midnight for TIME, []byte
// for BYTES, and for JSON and lists what encoding/json makes of them, numbers as json.Number. An integer beyond int64,
// such as a sum of BIGINTs, is a string.
func Value(t kalam.DataType, cell json.RawMessage) (any, error) {
	if isNull(cell) {
		return nil, nil
	}
	if cell[0] == '[' && t.Kind.Family() != kalam.FamilyBytes {
		return document(cell)
	}
	switch {
	case t.Kind == kalam.KindBoolean:
		return strconv.ParseBool(string(cell))
	case t.Kind.IsInteger():
		return integerOrText(cell)
	case t.Kind == kalam.KindFloat:
		f, err := floatOf(cell)
		return float64(float32(f)), err
	case t.Kind == kalam.KindDouble:
		return floatOf(cell)
	case t.Kind.IsTemporal():
		return temporal(t.Kind, cell)
	case t.Kind == kalam.KindJSON:
		return document([]byte(textOf(cell)))
	case t.Kind.Family() == kalam.FamilyBytes:
		return bytesOf(cell)
	}
	return textOf(cell), nil
}

func isNull(cell json.RawMessage) bool { return len(cell) == 0 || cell[0] == 'n' }

// textOf returns what a string holds, and the JSON of anything else.
func textOf(cell json.RawMessage) string {
	if cell[0] == '"' {
		return unquote(cell)
	}
	return string(cell)
}

func integerOrText(cell json.RawMessage) (any, error) {
	text := textOf(cell)
	n, err := strconv.ParseInt(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return text, nil
	}
	return n, err
}

// floatOf reads a number, or the string of one that JSON has no number for.
func floatOf(cell json.RawMessage) (float64, error) {
	switch text := textOf(cell); text {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	default:
		return strconv.ParseFloat(text, 64)
	}
}

// temporal reads a time: of a day as the time since midnight, all others as a point in UTC. Those that an expression
// gave beyond the years that columns hold come as text, and stay text.
func temporal(k kalam.Kind, cell json.RawMessage) (any, error) {
	if cell[0] == '"' {
		return unquote(cell), nil
	}
	n, err := strconv.ParseInt(string(cell), 10, 64)
	switch {
	case err != nil:
		return nil, err
	case k.Family() == kalam.FamilyTime:
		return time.Duration(n) * time.Microsecond, nil
	case k.Family() == kalam.FamilyDate:
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(n)), nil
	}
	return time.UnixMicro(n).UTC(), nil
}

// document reads JSON and keeps the digits of its numbers.
func document(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// bytesOf reads an array of byte numbers.
func bytesOf(cell json.RawMessage) ([]byte, error) {
	b := []byte{}
	err := json.Unmarshal(cell, &b)
	return b, err
}
