package query_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// TestMeetings: a literal or parameter is read as the type of the expression that it
// meets, wherever that gets its type from. Case A3.
func TestMeetings(t *testing.T) {
	e := newEngine(t)
	moment := kalam.Integer(kalam.KindTimestamp, 1767225600000000)
	src := map[string]query.Source{
		"t": source(
			t,
			"id BIGINT, ts TIMESTAMP, name TEXT, f FLOAT",
			row(big(1), moment, txt("2026-01-01T02:00+02:00"), kalam.Float(0.1)),
		),
	}
	const written = "2026-01-01T02:00+02:00"
	for _, cond := range []string{
		"ts = @", "date_trunc('day', ts) = @", "ts + INTERVAL 1 DAY - INTERVAL 1 DAY = @", "CAST(ts AS DATE)::TIMESTAMP = @",
		"(SELECT max(ts) FROM t) = @",
		"list_value(ts)[1] = @", "struct_pack(a := ts).a = @", "len(list_filter([ts], x -> x = @)) = 1",
		"ts = ANY (SELECT ts FROM t WHERE ts = @)",
		"@ = ANY (SELECT ts FROM t)", "(ts, id) = (@, 1)", "(ts, id) IN ((@, 1))", "ts = greatest(@, ts)",
		"make_timestamp(1767225600000000) = @",
		"ts NOT IN (@, NULL) IS NOT NULL", "NOT ts <> @", "name = @", "name IN (@, 'x')", "ts = @ AND name = @",
		"CASE WHEN id = 1 THEN ts END = @",
		"date_diff('minute', ts, @) = 0", "age(@, ts) = INTERVAL 0 DAYS", "ts IN [@, '2020-01-01']",
		"list_contains(['2020-01-01', @], ts)",
		"(ts = @) = true", "ts::VARCHAR || @ LIKE '2026%'", "ts BETWEEN @ AND now() + INTERVAL 100 YEAR",
	} {
		for _, param := range []bool{false, true} {
			sql, params := "SELECT count(*)::INT AS n FROM t WHERE "+strings.ReplaceAll(
				cond,
				"@",
				"'"+written+"'",
			), []kalam.Value(
				nil,
			)
			if param {
				sql, params = "SELECT count(*)::INT AS n FROM t WHERE "+strings.ReplaceAll(
					cond,
					"@",
					"$1",
				), []kalam.Value{
					txt(written),
				}
			}
			got, err := e.text(t.Context(), sql, testArgs(params...), src)
			if err != nil || got != "n INT\n1" {
				t.Errorf("%s: %q, %v", sql, got, err)
			}
		}
	}
}

// TestNumbersMeet: a number keeps its type and value beside exact numbers, and is the
// nearest FLOAT or DOUBLE beside one.
func TestNumbersMeet(t *testing.T) {
	e := newEngine(t)
	d := 0.30000000000000004
	src := map[string]query.Source{"t": source(t, "id BIGINT, d DOUBLE, f FLOAT, n DECIMAL(10;2)",
		row(big(1), kalam.Double(d), kalam.Float(0.1), kalam.Decimal(0, 124, 2)))}
	for cond, want := range map[string]bool{
		"d = 0.30000000000000004": true, "d = 0.30000000000000004e0": true, "d = 0.3": false, "d > 0.3e0": true,
		"f = 0.1": true, "f = 0.1e0": true, "f <> 0.1": false,
		"n = 1.24": true, "n = 1.239": false, "n > 1.239": true, "n = 1.24e0": true, "id = 1.0": true, "id < 1.5": true,
		"id = 1e0": true, "id = 1.5e0": false,
		"id IN (0.5, 1)": true, "id BETWEEN 0.5 AND 1.5e0": true, "f < 1e300": true, "d / 1e0 = d": true,
		"CASE WHEN id = 1e0 THEN 1.5e0 END = 1.5":                       true,
		"typeof(coalesce(n, 1.5)) = 'DECIMAL(10,2)'":                    true,
		"typeof(CASE WHEN id = 1 THEN 0.5 ELSE id END) LIKE 'DECIMAL%'": true,
	} {
		got, err := e.text(t.Context(), "SELECT count(*)::INT AS n FROM t WHERE "+cond, testArgs(), src)
		if err != nil || got != map[bool]string{true: "n INT\n1", false: "n INT\n0"}[want] {
			t.Errorf("%s: %q, %v", cond, got, err)
		}
	}
}

// TestMeetingsBesideParameters: the type of what a parameter meets is found beside
// others that have a type only by their values.
func TestMeetingsBesideParameters(t *testing.T) {
	e := newEngine(t)
	moment := kalam.Integer(kalam.KindTimestamp, 1767225600000000)
	src := map[string]query.Source{"t": source(t, "id BIGINT, ts TIMESTAMP", row(big(1), moment))}
	written := txt("2026-01-01T02:00+02:00")
	for sql, params := range map[string][]kalam.Value{
		"SELECT id FROM t WHERE date_trunc($1, ts) = $2":                    {txt("day"), written},
		"SELECT id FROM t WHERE ts + to_days($1) - to_days($2::INT) = $3":   {big(1), big(1), written},
		"SELECT id FROM (SELECT *, ts AS x, $1 AS y FROM t) WHERE x = $2":   {big(1), written},
		"SELECT id FROM t WHERE ($1 IS NULL OR ts = $1) AND id = $2":        {written, big(1)},
		"SELECT id FROM t WHERE ($1 IS NULL OR date_trunc('day', ts) = $1)": {written},
	} {
		if got, err := e.text(t.Context(), sql, testArgs(params...), src); err != nil || got != "id BIGINT\n\"1\"" {
			t.Errorf("%s: %q, %v", sql, got, err)
		}
	}
}
