package subscribe_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/subscribe"
)

// decimal is the type of column dec.
var decimal = kalam.DataType{Kind: kalam.KindDecimal, Precision: 10, Scale: 2}

// typeOf returns the type of the column of a kind.
func typeOf(k kalam.Kind) kalam.DataType {
	if k == kalam.KindDecimal {
		return decimal
	}
	return kalam.TypeOf(k)
}

// wide has two columns for every kind, as nameOf says, and b1 to b3.
func wide() *kalam.Table {
	t := &kalam.Table{ID: kalam.TableID{Namespace: "app", Name: "wide"}, Number: 1, SchemaVersion: 1,
		PrimaryKey: []int{0}}
	add := func(name string, ty kalam.DataType) {
		t.Columns = append(t.Columns, kalam.Column{ID: kalam.ColumnID(len(t.Columns) + 1), Name: name, Type: ty})
	}
	for _, k := range kalam.Kinds() {
		add(nameOf(k), typeOf(k))
		add(nameOf(k)+"2", typeOf(k))
	}
	for i := 1; i <= 3; i++ {
		add(fmt.Sprintf("b%d", i), kalam.TypeOf(kalam.KindBoolean))
	}
	return t
}

func nameOf(k kalam.Kind) string { return "c_" + strings.ToLower(k.String()) }

// rowOf returns a row of wide; columns not given are NULL.
func rowOf(t *kalam.Table, cells map[string]kalam.Value) []kalam.Value {
	vals := make([]kalam.Value, len(t.Columns))
	for i, c := range t.Columns {
		vals[i] = cells[c.Name]
	}
	return vals
}

// truth returns "true", "false" or "NULL" for an expression on a row: what it
// and its negation select tells them apart.
func truth(tb testing.TB, t *kalam.Table, e subscribe.Expr, vals []kalam.Value) string {
	tb.Helper()
	match := func(e subscribe.Expr) bool {
		f, err := subscribe.Compile(t, e, "ann", kalam.RoleService)
		if err != nil {
			tb.Fatalf("compile %#v: %v", e, err)
		}
		return f.Match(vals, kalam.SeqAt(time.Unix(1_750_000_000, 0)), false)
	}
	yes, no := match(e), match(subscribe.Not{Arg: e})
	isNull := match(subscribe.IsNull{Arg: e})
	switch {
	case yes && !no && !isNull:
		return "true"
	case no && !yes && !isNull:
		return "false"
	case !yes && !no && isNull:
		return "NULL"
	}
	return fmt.Sprintf("contradiction: is %v, is not %v, is null %v", yes, no, isNull)
}

func parse(tb testing.TB, t kalam.DataType, s string) kalam.Value {
	tb.Helper()
	v, err := datatype.FromText(t, s)
	if err != nil {
		tb.Fatalf("%s as %s: %v", s, t, err)
	}
	return v
}

// ascending holds values of each kind in rising order, as text.
var ascending = map[kalam.Kind][]string{
	kalam.KindBoolean:  {"false", "true"},
	kalam.KindSmallInt: {"-32768", "-1", "0", "32767"},
	kalam.KindInt:      {"-2147483648", "-1", "0", "2147483647"},
	kalam.KindBigInt:   {"-9223372036854775808", "-1", "0", "9007199254740993", "9223372036854775807"},
	kalam.KindFloat:    {"-3.5", "0", "0.25", "1e30"},
	kalam.KindDouble:   {"-1e300", "-0.5", "0", "1e300"},
	kalam.KindDecimal:  {"-99999999.99", "-0.01", "0.00", "0.10", "99999999.99"},
	kalam.KindText:     {"", "A", "Z", "a", "ab", "é", "日"},
	kalam.KindTimestamp: {"1900-01-01 00:00:00", "1969-12-31 23:59:59.999999", "2024-02-29 12:00:00",
		"2024-02-29 12:00:00.000001"},
	kalam.KindDateTime: {"1969-12-31T23:59:59Z", "2024-06-01T00:00:00+02:00", "2024-06-01T00:00:00Z"},
	kalam.KindDate:     {"0001-01-01", "1970-01-01", "9999-12-31"},
	kalam.KindTime:     {"00:00:00", "00:00:00.000001", "23:59:59.999999"},
	kalam.KindJSON:     {`"a"`, `[1]`, `{"a":1}`},
	kalam.KindUUID: {"00000000-0000-0000-0000-000000000001", "7fffffff-ffff-ffff-ffff-ffffffffffff",
		"80000000-0000-0000-0000-000000000000"},
	kalam.KindBytes: nil, // Below: they have no common text.
}

func valuesOf(tb testing.TB, k kalam.Kind) (list []kalam.Value) {
	tb.Helper()
	if k == kalam.KindBytes {
		return []kalam.Value{kalam.Bytes(""), kalam.Bytes("\x00"), kalam.Bytes("a"), kalam.Bytes("\xff")}
	}
	for _, s := range ascending[k] {
		list = append(list, parse(tb, typeOf(k), s))
	}
	return list
}

var operators = []struct {
	op   subscribe.CompareOp
	name string
	want func(a, b int) bool
}{
	{subscribe.Equal, "=", func(a, b int) bool { return a == b }},
	{subscribe.NotEqual, "<>", func(a, b int) bool { return a != b }},
	{subscribe.Less, "<", func(a, b int) bool { return a < b }},
	{subscribe.LessOrEqual, "<=", func(a, b int) bool { return a <= b }},
	{subscribe.Greater, ">", func(a, b int) bool { return a > b }},
	{subscribe.GreaterOrEqual, ">=", func(a, b int) bool { return a >= b }},
	{subscribe.IsDistinct, "IS DISTINCT FROM", func(a, b int) bool { return a != b }},
	{subscribe.IsNotDistinct, "IS NOT DISTINCT FROM", func(a, b int) bool { return a == b }},
}

// TestCompare checks every operator on every kind: all pairs of rising values and
// NULL, both as columns and as literals.
func TestCompare(t *testing.T) {
	table := wide()
	for _, k := range kalam.Kinds() {
		values := valuesOf(t, k)
		if len(values) < 2 {
			t.Fatalf("no values of kind %s", k)
		}
		name := nameOf(k)
		for i, a := range append(values, kalam.Null()) {
			for j, b := range append(values, kalam.Null()) {
				row := rowOf(table, map[string]kalam.Value{name: a, name + "2": b})
				sides := [][2]subscribe.Expr{{col(name), col(name + "2")}}
				// A DECIMAL literal is of its own type.
				if k != kalam.KindDecimal || i < len(values) && j < len(values) {
					sides = append(sides, [2]subscribe.Expr{col(name), lit(b)},
						[2]subscribe.Expr{lit(a), col(name + "2")})
				}
				for _, o := range operators {
					want := fmt.Sprint(o.want(i, j))
					if (a.IsNull() || b.IsNull()) && o.op != subscribe.IsDistinct && o.op != subscribe.IsNotDistinct {
						want = "NULL"
					}
					for s, side := range sides {
						if got := truth(t, table, is(o.op, side[0], side[1]), row); got != want {
							t.Errorf("%s: value %d %s value %d (sides %d) is %s, want %s", k, i, o.name, j, s, got,
								want)
						}
					}
				}
			}
		}
	}
}

// TestStringLiterals checks that a string literal is read as the type of the
// column it is compared with, from both sides.
func TestStringLiterals(t *testing.T) {
	table := wide()
	for _, k := range kalam.Kinds() {
		name := nameOf(k)
		for i, s := range ascending[k] {
			if k == kalam.KindFloat || k == kalam.KindDouble {
				if s != "0" && s != "-0.5" && s != "0.25" {
					continue // With an exponent it is the evaluator's.
				}
			}
			for j, v := range valuesOf(t, k) {
				row := rowOf(table, map[string]kalam.Value{name: v})
				for _, o := range operators {
					if got, want := truth(t, table, is(o.op, col(name), text(s)), row),
						fmt.Sprint(o.want(j, i)); got != want {
						t.Errorf("%s: value %d %s '%s' is %s, want %s", k, j, o.name, s, got, want)
					}
					if got, want := truth(t, table, is(o.op, text(s), col(name)), row),
						fmt.Sprint(o.want(i, j)); got != want {
						t.Errorf("%s: '%s' %s value %d is %s, want %s", k, s, o.name, j, got, want)
					}
				}
			}
		}
	}
}

// TestMixedNumbers compares numbers of different kinds by value.
func TestMixedNumbers(t *testing.T) {
	table := wide()
	integer, double := kalam.Integer, kalam.Double
	dec := func(s string) kalam.Value { return parse(t, decimal, s) }
	tests := []struct {
		a, b kalam.Value
		want int
	}{
		{integer(kalam.KindSmallInt, 5), kalam.BigInt(5), 0},
		{integer(kalam.KindSmallInt, -5), kalam.BigInt(math.MaxInt64), -1},
		{integer(kalam.KindInt, 7), integer(kalam.KindSmallInt, 6), 1},
		{integer(kalam.KindInt, 1), dec("1.00"), 0},
		{integer(kalam.KindInt, 1), dec("1.01"), -1},
		{integer(kalam.KindBigInt, math.MinInt64), dec("-99999999.99"), -1},
		{integer(kalam.KindBigInt, math.MaxInt64), dec("99999999.99"), 1},
		{dec("-0.01"), integer(kalam.KindSmallInt, 0), -1},
		{integer(kalam.KindInt, 2), double(2), 0},
		{integer(kalam.KindInt, 2), double(1.5), 1},
		{dec("0.50"), double(0.5), 0},
		{dec("0.50"), double(0.51), -1},
		{kalam.Float(0.5), double(0.5), 0},
		{kalam.Float(0.1), double(0.1), 1}, // 0.1 as FLOAT is a little more.
		{double(math.NaN()), double(math.Inf(1)), 1},
		{double(math.NaN()), double(math.NaN()), 0},
		{double(math.Inf(-1)), integer(kalam.KindBigInt, math.MinInt64), -1},
		{double(math.Copysign(0, -1)), double(0), 0},
		{kalam.Float(float32(math.NaN())), kalam.Float(1), 1},
	}
	for _, tt := range tests {
		a, b := nameOf(tt.a.Kind()), nameOf(tt.b.Kind())
		if a == b {
			b += "2"
		}
		row := rowOf(table, map[string]kalam.Value{a: tt.a, b: tt.b})
		for _, o := range operators {
			if got, want := truth(t, table, is(o.op, col(a), col(b)), row),
				fmt.Sprint(o.want(tt.want, 0)); got != want {
				t.Errorf("%s %v %s %s %v is %s, want %s", a, tt.a, o.name, b, tt.b, got, want)
			}
			if got, want := truth(t, table, is(o.op, col(b), col(a)), row),
				fmt.Sprint(o.want(0, tt.want)); got != want {
				t.Errorf("%s %v %s %s %v is %s, want %s", b, tt.b, o.name, a, tt.a, got, want)
			}
		}
	}
}

// TestMoments compares a TIMESTAMP with a DATE, which is its midnight.
func TestMoments(t *testing.T) {
	table := wide()
	tests := []struct {
		stamp, date string
		want        int
	}{
		{"2024-03-01 00:00:00", "2024-03-01", 0},
		{"2024-03-01 00:00:00.000001", "2024-03-01", 1},
		{"2024-02-29 23:59:59.999999", "2024-03-01", -1},
		{"1969-12-31 00:00:00", "1969-12-31", 0},
	}
	for _, tt := range tests {
		row := rowOf(table, map[string]kalam.Value{
			"c_timestamp": parse(t, kalam.TypeOf(kalam.KindTimestamp), tt.stamp),
			"c_date":      parse(t, kalam.TypeOf(kalam.KindDate), tt.date),
		})
		for _, o := range operators {
			if got, want := truth(t, table, is(o.op, col("c_timestamp"), col("c_date")), row),
				fmt.Sprint(o.want(tt.want, 0)); got != want {
				t.Errorf("%s %s %s is %s, want %s", tt.stamp, o.name, tt.date, got, want)
			}
		}
	}
	far := rowOf(table, map[string]kalam.Value{"c_timestamp": kalam.Integer(kalam.KindTimestamp, 0),
		"c_date": kalam.Integer(kalam.KindDate, math.MaxInt32)})
	if got := truth(t, table, is(subscribe.Less, col("c_timestamp"), col("c_date")), far); got != "true" {
		t.Errorf("TIMESTAMP < farthest DATE is %s", got)
	}
}

// TestLogic is the truth tables of NOT, AND and OR.
func TestLogic(t *testing.T) {
	table := wide()
	b := map[string]kalam.Value{"true": kalam.Bool(true), "false": kalam.Bool(false), "NULL": kalam.Null()}
	b1, b2 := col("b1"), col("b2")
	tests := []struct{ a, b, and, or string }{
		{"true", "true", "true", "true"}, {"true", "false", "false", "true"}, {"true", "NULL", "NULL", "true"},
		{"false", "true", "false", "true"}, {"false", "false", "false", "false"}, {"false", "NULL", "false", "NULL"},
		{"NULL", "true", "NULL", "true"}, {"NULL", "false", "false", "NULL"}, {"NULL", "NULL", "NULL", "NULL"},
	}
	not := map[string]string{"true": "false", "false": "true", "NULL": "NULL"}
	for _, tt := range tests {
		row := rowOf(table, map[string]kalam.Value{"b1": b[tt.a], "b2": b[tt.b]})
		for name, c := range map[string]struct {
			e    subscribe.Expr
			want string
		}{
			"a":       {b1, tt.a},
			"NOT a":   {subscribe.Not{Arg: b1}, not[tt.a]},
			"a AND b": {subscribe.And{Args: []subscribe.Expr{b1, b2}}, tt.and},
			"a OR b":  {subscribe.Or{Args: []subscribe.Expr{b1, b2}}, tt.or},
			"NOT a OR NOT b": {subscribe.Or{Args: []subscribe.Expr{subscribe.Not{Arg: b1}, subscribe.Not{Arg: b2}}},
				not[tt.and]},
			"(a AND b) = true": {is(subscribe.Equal, subscribe.And{Args: []subscribe.Expr{b1, b2}},
				lit(kalam.Bool(true))),
				tt.and},
			"a IS TRUE": {is(subscribe.IsNotDistinct, b1, lit(kalam.Bool(true))), fmt.Sprint(tt.a == "true")},
			"a IS NULL": {subscribe.IsNull{Arg: b1}, fmt.Sprint(tt.a == "NULL")},
			"a AND NULL": {subscribe.And{Args: []subscribe.Expr{b1, lit(kalam.Null())}},
				map[bool]string{true: "false", false: "NULL"}[tt.a == "false"]},
		} {
			if got := truth(t, table, c.e, row); got != c.want {
				t.Errorf("a=%s b=%s: %s is %s, want %s", tt.a, tt.b, name, got, c.want)
			}
		}
	}
	row := rowOf(table, nil)
	if got := truth(t, table, subscribe.And{}, row) + " " + truth(t, table, subscribe.Or{}, row); got != "true false" {
		t.Errorf("empty AND, OR: %s", got)
	}
}

func TestBetweenInCase(t *testing.T) {
	table := wide()
	n, null := col("c_int"), lit(kalam.Null())
	between := func(lo, hi subscribe.Expr) subscribe.Expr { return subscribe.Between{Arg: n, Low: lo, High: hi} }
	in := func(list ...subscribe.Expr) subscribe.Expr { return subscribe.In{Arg: n, List: list} }
	long := func(more ...subscribe.Expr) subscribe.Expr {
		list := []subscribe.Expr{num(1), num(2), text("5"), num(4), num(6), num(7), num(8), num(9)}
		return subscribe.In{Arg: n, List: append(list, more...)}
	}
	words := func(list ...string) subscribe.Expr {
		e := subscribe.In{Arg: col("c_text")}
		for _, s := range list {
			e.List = append(e.List, text(s))
		}
		return e
	}
	kase := func(other subscribe.Expr) subscribe.Expr {
		return subscribe.Case{Whens: []subscribe.When{
			{Cond: is(subscribe.Less, n, num(5)), Then: lit(kalam.Bool(true))},
			{Cond: is(subscribe.Equal, n, num(5)), Then: null},
		}, Else: other}
	}
	five, nul := kalam.Integer(kalam.KindInt, 5), kalam.Null()
	tests := []struct {
		name string
		e    subscribe.Expr
		n    kalam.Value
		want string
	}{
		{"inside", between(num(5), num(5)), five, "true"},
		{"below", between(num(6), num(9)), five, "false"},
		{"above", between(num(1), num(4)), five, "false"},
		{"empty range", between(num(9), num(1)), five, "false"},
		{"NULL arg", between(num(1), num(9)), nul, "NULL"},
		{"NULL low, inside", between(null, num(9)), five, "NULL"},
		{"NULL low, above", between(null, num(4)), five, "false"},
		{"NULL high, below", between(num(6), null), five, "false"},
		{"NULL high, inside", between(num(1), null), five, "NULL"},
		{"string bounds", between(text("1"), text("9")), five, "true"},
		{"decimal bounds", between(lit(parse(t, decimal, "4.99")), lit(parse(t, decimal, "5.01"))), five, "true"},
		{"in", in(num(1), num(5)), five, "true"},
		{"not in", in(num(1), num(2)), five, "false"},
		{"in with NULL, found", in(num(5), null), five, "true"},
		{"in with NULL, not found", in(num(4), null), five, "NULL"},
		{"NULL in", in(num(4)), nul, "NULL"},
		{"in nothing", in(), five, "false"},
		{"in columns", in(col("c_bigint"), n), five, "true"},
		{"long in", long(), five, "true"},
		{"long, not in", long(), kalam.Integer(kalam.KindInt, 3), "false"},
		{"long with NULL, found", long(null), five, "true"},
		{"long with NULL, not found", long(null), kalam.Integer(kalam.KindInt, 3), "NULL"},
		{"NULL in long", long(), nul, "NULL"},
		{"long with BIGINT", long(lit(kalam.BigInt(math.MaxInt64))), kalam.Integer(kalam.KindInt, -1), "false"},
		{"long with DECIMAL", long(lit(parse(t, decimal, "3.00"))), kalam.Integer(kalam.KindInt, 3), "true"},
		{"long with column", long(n), kalam.Integer(kalam.KindInt, 77), "true"},
		{"words", words("a", "b", "c", "d", "e", "f", "g", "row", "i"), nul, "true"},
		{"words, not in", words("a", "b", "c", "d", "e", "f", "g", "h", "ROW"), nul, "false"},
		{"case first", kase(lit(kalam.Bool(false))), kalam.Integer(kalam.KindInt, 1), "true"},
		{"case NULL", kase(lit(kalam.Bool(false))), five, "NULL"},
		{"case else", kase(lit(kalam.Bool(false))), kalam.Integer(kalam.KindInt, 9), "false"},
		{"case without else", kase(nil), kalam.Integer(kalam.KindInt, 9), "NULL"},
		{"case of unknown condition", kase(lit(kalam.Bool(false))), nul, "false"},
		{"case as operand", is(subscribe.Equal, subscribe.Case{
			Whens: []subscribe.When{{Cond: is(subscribe.Equal, n, num(5)), Then: col("c_text")}}, Else: text("other"),
		}, text("row")), five, "true"},
		{"current user", is(subscribe.Equal, subscribe.CurrentUser{}, text("ann")), nul, "true"},
		{"current role", is(subscribe.Equal, subscribe.CurrentRole{}, text("service")), nul, "true"},
		{"user is not a literal", is(subscribe.NotEqual, subscribe.CurrentUser{}, col("c_text")), nul, "true"},
		{"_updated", is(subscribe.Equal, col("_updated"), text("2025-06-15 15:06:40")), nul, "true"},
		{"_seq", is(subscribe.Greater, col("_SEQ"), num(0)), nul, "true"},
		{"_deleted", col("_deleted"), nul, "false"},
		{"name in any case", is(subscribe.Equal, col("C_INT"), num(5)), five, "true"},
		{"literal NULL", null, nul, "NULL"},
		{"literal true", lit(kalam.Bool(true)), nul, "true"},
		{"= NULL", is(subscribe.Equal, n, null), five, "NULL"},
		{"NULL IS NOT DISTINCT FROM NULL", is(subscribe.IsNotDistinct, null, null), nul, "true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := rowOf(table, map[string]kalam.Value{"c_int": tt.n, "c_text": kalam.Text("row")})
			if got := truth(t, table, tt.e, row); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestReadings checks that literals are read as INSERT reads them, and that those
// which INSERT refuses are refused with its words.
func TestReadings(t *testing.T) {
	table := wide()
	moment := func(n int64) kalam.Value { return kalam.Integer(kalam.KindTimestamp, n) }
	for _, tt := range []struct {
		column  string
		literal subscribe.Expr
		value   kalam.Value // Of a row that the literal finds.
		err     string
	}{
		{column: "c_double", literal: text("1e3"), value: kalam.Double(1000)},
		{column: "c_double", literal: lit(kalam.Decimal(0, 30000000000000004, 17)),
			value: kalam.Double(0.30000000000000004)},
		{column: "c_timestamp", literal: text("2024-01-01T01:00:00+01:00"), value: moment(1704067200000000)},
		{column: "c_timestamp", literal: text("2024-01-01 00:00Z"), value: moment(1704067200000000)},
		{column: "c_timestamp", literal: num(1704067200000000), value: moment(1704067200000000)},
		{column: "c_datetime", literal: text("2024-01-01"), value: kalam.Integer(kalam.KindDateTime, 1704067200000000)},
		{column: "c_bytes", literal: text(`\x00`), value: kalam.Bytes("\x00")},
		{column: "c_bytes", literal: text("AA=="), value: kalam.Bytes("\x00")},
		{column: "b1", literal: text("yes"), value: kalam.Bool(true)},
		{column: "c_json", literal: text("[1]"), value: kalam.JSON("[1]")},
		{column: "c_json", literal: text("{"), err: "Invalid JSON value: expected object or array"},
		{column: "c_int", literal: text("abc"), err: "Type mismatch: expected INT, got 'abc'"},
		{column: "c_smallint", literal: text("99999"), err: "SMALLINT value out of range"},
		{column: "c_timestamp", literal: text("soon"), err: "Type mismatch: expected TIMESTAMP, got 'soon'"},
		{column: "c_timestamp", literal: num(1767225600000),
			err: "Type mismatch: expected TIMESTAMP, got 1767225600000, which looks like seconds or " +
				"milliseconds since 1970; give microseconds or a text such as '2026-01-31T12:00:00Z'"},
	} {
		for _, e := range []subscribe.Expr{
			is(subscribe.Equal, col(tt.column), tt.literal), is(subscribe.Equal, tt.literal, col(tt.column)),
			subscribe.In{Arg: col(tt.column), List: []subscribe.Expr{tt.literal}},
			subscribe.Between{Arg: col(tt.column), Low: tt.literal, High: tt.literal},
		} {
			f, err := subscribe.Compile(table, e, "ann", kalam.RoleUser)
			var ke *kalam.Error
			if tt.err != "" && (!errors.As(err, &ke) || ke.Msg != tt.err) || tt.err == "" && err != nil {
				t.Errorf("%s and %v: %v, want %q", tt.column, tt.literal, err, tt.err)
				continue
			}
			if err != nil {
				continue
			}
			row := make([]kalam.Value, len(table.Columns))
			row[table.ColumnIndex(tt.column)] = tt.value
			if !f.Match(row, 1, false) {
				t.Errorf("%s: %v does not find %v", tt.column, tt.literal, tt.value)
			}
		}
	}
}

func TestNotCompilable(t *testing.T) {
	table := wide()
	missing := is(subscribe.Equal, col("nope"), num(1))
	tests := []struct {
		name string
		e    subscribe.Expr
	}{
		{"text with number", is(subscribe.Equal, col("c_text"), num(1))},
		{"uuid with bytes", is(subscribe.Equal, col("c_uuid"), col("c_bytes"))},
		{"timestamp with datetime", is(subscribe.Less, col("c_timestamp"), col("c_datetime"))},
		{"number as condition", col("c_int")},
		{"text as condition", text("true")},
		{"nothing", subscribe.Not{}},
		{"unknown operator", is(99, col("c_int"), num(1))},
		{"pattern from a column", subscribe.Like{Arg: col("c_text"), Pattern: col("c_text2")}},
		{"LIKE of a number", subscribe.Like{Arg: col("c_int"), Pattern: text("1%")}},
		{"long escape", subscribe.Like{Arg: col("c_text"), Pattern: text("a"), Escape: "ab"}},
		{"pattern ends with its escape", subscribe.Like{Arg: col("c_text"), Pattern: text(`a\`), Escape: `\`}},
		{"ILIKE with a letter as escape", subscribe.Like{Arg: col("c_text"), Pattern: text("aX%"), Escape: "X",
			Insensitive: true}},
		{"mixed list", subscribe.In{Arg: col("c_int"), List: []subscribe.Expr{num(1), lit(kalam.Double(1))}}},
		{"CASE of two types", is(subscribe.Equal, subscribe.Case{
			Whens: []subscribe.When{{Cond: col("b1"), Then: num(1)}}, Else: text("x"),
		}, num(1))},
		{"wide DECIMAL", is(subscribe.Equal, col("c_decimal"),
			lit(kalam.Decimal(0x4B3B4CA85A86C47A, 0x098A223FFFFFFFFF, 38)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, e := range []subscribe.Expr{
				tt.e, subscribe.And{Args: []subscribe.Expr{col("b1"), tt.e}},
				subscribe.IsNull{Arg: subscribe.Not{Arg: tt.e}},
			} {
				if _, err := subscribe.Compile(table, e, "ann", kalam.RoleUser); !errors.Is(err,
					subscribe.ErrNotCompilable) {
					t.Errorf("compile: %v", err)
				}
			}
			_, err := subscribe.Compile(table, subscribe.And{Args: []subscribe.Expr{missing, tt.e}}, "ann",
				kalam.RoleUser)
			if kalam.CodeOf(err) != kalam.CodeInvalidSQL || errors.Is(err, subscribe.ErrNotCompilable) {
				t.Errorf("missing column: %v", err)
			}
		})
	}
}

// TestFilterKeys checks that keys are equal for equal conditions only.
func TestFilterKeys(t *testing.T) {
	table := wide()
	key := func(e subscribe.Expr, u kalam.UserID, r kalam.Role) string {
		f, err := subscribe.Compile(table, e, u, r)
		if err != nil {
			t.Fatal(err)
		}
		return f.Key()
	}
	n := col("c_int")
	distinct := []subscribe.Expr{
		nil, n2(n, 1), n2(n, 2), n2(col("c_int2"), 1), is(subscribe.Less, n, num(1)), is(subscribe.Equal, num(1), n),
		is(subscribe.Equal, n, lit(kalam.BigInt(1))), is(subscribe.Equal, n, text("1")),
		is(subscribe.Equal, n, lit(kalam.Null())),
		subscribe.Not{Arg: n2(n, 1)}, subscribe.IsNull{Arg: n},
		subscribe.And{Args: []subscribe.Expr{n2(n, 1), n2(n, 2)}},
		subscribe.Or{Args: []subscribe.Expr{n2(n, 1), n2(n, 2)}},
		subscribe.And{Args: []subscribe.Expr{subscribe.And{Args: []subscribe.Expr{n2(n, 1)}}, n2(n, 2)}},
		subscribe.In{Arg: n, List: []subscribe.Expr{num(1), num(2)}},
		subscribe.Between{Arg: n, Low: num(1), High: num(2)},
		subscribe.Like{Arg: col("c_text"), Pattern: text("a")},
		subscribe.Like{Arg: col("c_text"), Pattern: text("a"), Insensitive: true},
		subscribe.Like{Arg: col("c_text"), Pattern: text("a"), Escape: "b"},
		subscribe.Like{Arg: col("c_text"), Pattern: text(`a")`)},
		is(subscribe.Equal, col("c_decimal"), lit(kalam.Decimal(0, 10, 1))),
		is(subscribe.Equal, col("c_decimal"), lit(kalam.Decimal(0, 10, 0))),
		subscribe.Case{Whens: []subscribe.When{{Cond: col("b1"), Then: col("b2")}}},
		subscribe.Case{Whens: []subscribe.When{{Cond: col("b1"), Then: col("b2")}}, Else: col("b3")},
	}
	seen := map[string]int{}
	for i, e := range distinct {
		k := key(e, "ann", kalam.RoleUser)
		if j, ok := seen[k]; ok {
			t.Errorf("conditions %d and %d have the key %s", j, i, k)
		}
		seen[k] = i
		if key(e, "bob", kalam.RoleDBA) != k {
			t.Errorf("key of condition %d depends on the user", i)
		}
	}
	if key(n2(n, 1), "", 0) != key(n2(col("C_Int"), 1), "", 0) {
		t.Error("the case of a name is in the key")
	}
	mine := is(subscribe.Equal, col("c_text"), subscribe.CurrentUser{})
	if key(mine, "ann", kalam.RoleUser) == key(mine, "bob", kalam.RoleUser) ||
		key(mine, "ann", kalam.RoleUser) != key(mine, "ann", kalam.RoleDBA) {
		t.Error("key of a condition on the user")
	}
	role := is(subscribe.Equal, col("c_text"), subscribe.CurrentRole{})
	if key(role, "ann", kalam.RoleUser) == key(role, "ann", kalam.RoleDBA) ||
		key(role, "ann", kalam.RoleUser) != key(role, "bob", kalam.RoleUser) {
		t.Error("key of a condition on the role")
	}
	for e, want := range map[subscribe.Expr]bool{
		nil: false, col("_DELETED"): true, subscribe.IsNull{Arg: col("_deleted")}: true, col("b1"): false,
	} {
		f, err := subscribe.Compile(table, e, "ann", kalam.RoleUser)
		if err != nil || f.NamesDeleted() != want {
			t.Errorf("%v names _deleted: %v, %v", e, f.NamesDeleted(), err)
		}
	}
}

func n2(c subscribe.Expr, v int64) subscribe.Expr { return is(subscribe.Equal, c, num(v)) }
