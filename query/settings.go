package query

import (
	"regexp"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query/tree"
)

// Settings are what the meaning of a text depends on beside the text: plans of other settings are other plans. The zero
// value is the usual meaning.
type Settings struct {
	// Inner says that another statement takes the rows, such as INSERT: * has no system columns.
	Inner bool
	// Zone is that of moments that are written without one, and of the days and hours of a DATETIME; nil is UTC.
	Zone *time.Location
	// Nulls is where ORDER BY puts NULLs when it does not say so; NullsDefault is what the executor does.
	Nulls NullOrder
}

// NullOrder says where NULLs are in an order.
type NullOrder uint8

// The orders.
const (
	NullsDefault NullOrder = iota
	NullsFirst
	NullsLast
	NullsLow  // Below every value: first in an ascending order, last in a descending one.
	NullsHigh // Above every value: last in an ascending order, first in a descending one, as in PostgreSQL.
)

// key returns a text that is different for different settings, "" for the zero value.
func (s *Settings) key() string {
	if *s == (Settings{}) {
		return ""
	}
	key := string([]byte{'0' + byte(s.Nulls)}) + s.zoneName() + "\x00"
	if s.Inner {
		return "inner " + key
	}
	return key
}

// zoneName returns the name of the zone, "" for UTC.
func (s *Settings) zoneName() string {
	if s.Zone == nil {
		return ""
	}
	return s.Zone.String()
}

// operand is datatype.Operand in the zone.
func (s *Settings) operand(t kalam.DataType, v kalam.Value) (out kalam.Value, ok bool, err error) {
	if moment, ok := datatype.InZone(s.Zone, t, v); ok {
		return moment, true, nil
	}
	return datatype.Operand(t, v)
}

// orderNulls says in every ORDER BY below v where NULLs are, if it does not say so itself.
func (s *Settings) orderNulls(v any) {
	if s.Nulls == NullsDefault {
		return
	}
	switch v := v.(type) {
	case tree.Node:
		if tree.Str(v, "null_order") == "ORDER_DEFAULT" {
			v["null_order"] = s.nullsOf(tree.Str(v, "type") == "DESCENDING")
		}
		for _, x := range v {
			s.orderNulls(x)
		}
	case []any:
		for _, x := range v {
			s.orderNulls(x)
		}
	}
}

func (s *Settings) nullsOf(descending bool) string {
	if s.Nulls == NullsFirst || s.Nulls == NullsLow && !descending || s.Nulls == NullsHigh && descending {
		return "NULLS_FIRST"
	}
	return "NULLS_LAST"
}

// candidatePattern matches the names that DuckDB proposes.
var candidatePattern = regexp.MustCompile(`"([^"]+)"`)
