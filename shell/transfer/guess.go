package transfer

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// guess is what the values of one column have in common.
type guess struct {
	values, nulls int
	example       string
	could         []kalam.Kind // The kinds that all values so far can be, the narrowest first.
	unique        map[string]bool
}

// guessable are the kinds that a text may be, the narrowest first.
var guessable = []kalam.Kind{kalam.KindBoolean, kalam.KindBigInt, kalam.KindDouble, kalam.KindDate, kalam.KindTimestamp,
	kalam.KindTime, kalam.KindUUID, kalam.KindJSON}

// guessTypes guesses the type of each column by some records.
func guessTypes(columns int, sample []record) []guess {
	out := make([]guess, columns)
	for i := range out {
		out[i] = guess{could: guessable, unique: map[string]bool{}}
		for _, r := range sample {
			out[i].add(r.values[i])
		}
	}
	return out
}

// add takes a further value into account.
func (g *guess) add(v value) {
	if v.kind == null || v.text == "" {
		g.nulls++
		g.unique = nil
		return
	}
	g.values++
	if g.example == "" {
		g.example = v.text
	}
	if g.unique != nil {
		if g.unique[v.text] {
			g.unique = nil
		} else {
			g.unique[v.text] = true
		}
	}
	var left []kalam.Kind
	for _, k := range g.could {
		if couldBe(k, v) {
			left = append(left, k)
		}
	}
	g.could = left
}

// kind is the kind of the column: TEXT if nothing else fits, and without values.
func (g *guess) kind() kalam.Kind {
	if g.values == 0 || len(g.could) == 0 {
		return kalam.KindText
	}
	return g.could[0]
}

// isKey reports whether the column can be the key: no value is missing or twice in the
// sample, and its kind is one of keys.
func (g *guess) isKey() bool {
	switch g.kind() {
	case kalam.KindText, kalam.KindBigInt, kalam.KindUUID:
		return g.unique != nil && g.values > 0
	default:
		return false
	}
}

// couldBe reports whether a value may be one of the kind.
func couldBe(k kalam.Kind, v value) bool {
	switch v.kind {
	case boolean:
		return k == kalam.KindBoolean
	case number:
		return k == kalam.KindBigInt && isInteger(v.text) || k == kalam.KindDouble
	case nested:
		return k == kalam.KindJSON
	default: // A quoted field of CSV says no more than another.
		return textCouldBe(k, v.text)
	}
}

// textCouldBe reports whether a text may be a value of the kind.
func textCouldBe(k kalam.Kind, s string) bool {
	switch k {
	case kalam.KindBoolean:
		return strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
	case kalam.KindBigInt:
		return isInteger(s)
	case kalam.KindDouble:
		return isNumber(s)
	case kalam.KindDate:
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	case kalam.KindTimestamp:
		return isTimestamp(s)
	case kalam.KindTime:
		return len(s) >= 5 && parsesAsTime(s, "15:04:05.999999", "15:04")
	case kalam.KindUUID:
		return isUUID(s)
	case kalam.KindJSON:
		return (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s))
	default:
		return false
	}
}

// isInteger reports whether s is a BIGINT as a program writes it: a postcode such as 01234
// is a text.
func isInteger(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// isNumber reports whether s is a number as a program writes it, and no integer whose
// digits a DOUBLE would not keep.
func isNumber(s string) bool {
	if !strings.ContainsAny(s, ".eE") && !isInteger(s) {
		return false
	}
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

// isTimestamp reports whether s is a date with a time, in a form that the server reads.
func isTimestamp(s string) bool {
	if len(s) < len(time.DateOnly) || s[4] != '-' {
		return false
	}
	s = strings.Replace(s, "T", " ", 1)
	return parsesAsTime(s, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04",
		"2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999-0700", "2006-01-02 15:04:05 UTC", time.DateOnly)
}

// parsesAsTime reports whether s has one of the layouts.
func parsesAsTime(s string, layouts ...string) bool {
	for _, l := range layouts {
		if _, err := time.Parse(l, s); err == nil {
			return true
		}
	}
	return false
}

// isUUID reports whether s is a UUID with its hyphens.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if hyphen != (c == '-') || !hyphen && !hex {
			return false
		}
	}
	return true
}
