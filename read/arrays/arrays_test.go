package arrays_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/read/arrays"
)

func TestExpand(t *testing.T) {
	one, list := kalam.BigInt(1), kalam.JSON("[7, 8, 9]")
	for _, c := range []struct {
		sql  string
		with []kalam.Value
		want string
		used string // "" for with.
	}{
		{sql: "SELECT $1", with: []kalam.Value{one}, want: "SELECT $1"},
		{sql: "SELECT $1", with: []kalam.Value{kalam.JSON(`{"a":[1]}`)}, want: "SELECT $1"},
		{sql: "SELECT $1", with: []kalam.Value{kalam.Text("[1]")}, want: "SELECT $1"},
		{"x IN $1", []kalam.Value{list}, "x IN ($1, $2, $3, $3)", "7 8 9"},
		{"x in ( $1 )", []kalam.Value{list}, "x IN ($1, $2, $3, $3)", "7 8 9"},
		{"x NOT IN ($1)", []kalam.Value{list}, "x NOT IN ($1, $2, $3, $3)", "7 8 9"},
		{"x = ANY($1)", []kalam.Value{list}, "x IN ($1, $2, $3, $3)", "7 8 9"},
		{"x == some ($1) AND y", []kalam.Value{list}, "x IN ($1, $2, $3, $3) AND y", "7 8 9"},
		{"x <> ALL($1)", []kalam.Value{list}, "x NOT IN ($1, $2, $3, $3)", "7 8 9"},
		{"x != all($1)", []kalam.Value{list}, "x NOT IN ($1, $2, $3, $3)", "7 8 9"},
		{"x < ANY($1)", []kalam.Value{list}, "x < ANY([$1, $2, $3])", "7 8 9"},
		{"x = ALL($1)", []kalam.Value{list}, "x = ALL([$1, $2, $3])", "7 8 9"},
		{"x IN ($1, $2)", []kalam.Value{one, list}, "x IN ($1, [$2, $3, $4])", "1 7 8 9"},
		{"unnest($1)", []kalam.Value{list}, "unnest([$1, $2, $3])", "7 8 9"},
		{"x IN $1 OR x = $2 OR y = $2", []kalam.Value{kalam.JSON("[5]"), one}, "x IN ($1) OR x = $2 OR y = $2", "5 1"},
		{"x = $2 OR x IN $1 OR x IN $1", []kalam.Value{kalam.JSON("[5]"), one}, "x = $1 OR x IN ($2) OR x IN ($3)", "1 5 5"},
		{"x IN $1", []kalam.Value{kalam.JSON("[ ]")}, "x IN (SELECT NULL WHERE false)", " "},
		{"f($1)", []kalam.Value{kalam.JSON("[]")}, "f([])", " "},
		{"f($1)", []kalam.Value{kalam.JSON("[[1],[],[2,3]]")}, "f([[$1], [], [$2, $3]])", "1 2 3"},
		{"f($1)", []kalam.Value{kalam.JSON(`[1.5, 1e2, "a\"b", true, false, null, {"k": [1]}, 9223372036854775808]`)},
			"f([$1, $2, $3, $4, $5, $6, $7, $8])", `1.5 100 a"b true false null {"k": [1]} 9223372036854775808`},
		{"'$1' || \"$1\" -- $1\n|| $1", []kalam.Value{kalam.JSON("[1]")}, "'$1' || \"$1\" -- $1\n|| [$1]", "1"},
		{"$1 $3", []kalam.Value{kalam.JSON("[1]")}, "[$1] $3", "1"}, // The analysis says that.
		{"$1 'open", []kalam.Value{kalam.JSON("[1]")}, "[$1] 'open", "1"},
	} {
		edits, used, err := arrays.Expand(c.sql, c.with)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if got := edits.Apply(c.sql, 0, len(c.sql)); got != c.want {
			t.Errorf("%s becomes %s, want %s", c.sql, got, c.want)
		}
		if c.used == "" {
			if !slices.Equal(used, c.with) {
				t.Errorf("%s: parameters %v", c.sql, used)
			}
			continue
		}
		var texts []string
		for _, v := range used {
			texts = append(texts, textOf(v))
		}
		if got := strings.Join(texts, " "); got != strings.TrimSpace(c.used) {
			t.Errorf("%s: parameters %s, want %s", c.sql, got, c.used)
		}
	}
}

func textOf(v kalam.Value) string {
	switch v.Kind() {
	case kalam.KindNull:
		return "null"
	case kalam.KindBoolean:
		return fmt.Sprint(v.Bool())
	case kalam.KindBigInt:
		return fmt.Sprint(v.Int())
	case kalam.KindDouble:
		return fmt.Sprint(v.Float64())
	case kalam.KindDecimal:
		return v.DecimalText()
	default:
		return v.Str()
	}
}

func TestExpandRefuses(t *testing.T) {
	for _, c := range []struct{ document, want string }{
		{"[" + strings.Repeat("1,", arrays.MaxElements) + "1]", "more than 10000 elements"},
		{"[1e999]", "number out of range"},
		{strings.Repeat("[", 30) + strings.Repeat("]", 30), "more than 20 deep"},
	} {
		_, _, err := arrays.Expand("SELECT  $1", []kalam.Value{kalam.JSON(c.document)})
		if kalam.CodeOf(err) != kalam.CodeInvalidParameter || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "Parameter $1") {
			t.Errorf("%.20s: %v, want %s", c.document, err, c.want)
		}
	}
}
