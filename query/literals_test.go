package query_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// TestMeetings: a literal or parameter is read as the type of the expression that it
// meets, wherever that gets its type from.
func TestMeetings(t *testing.T) {
	e := newEngine(t)
	moment := kalam.Integer(kalam.KindTimestamp, 1767225600000000)
	src := map[string]query.Source{
		"t": source(t, "id BIGINT, ts TIMESTAMP, name TEXT, f FLOAT", row(big(1), moment, txt("2026-01-01T02:00+02:00"), kalam.Float(0.1))),
	}
	const written = "2026-01-01T02:00+02:00"
	for _, cond := range []string{
		"ts = @", "date_trunc('day', ts) = @", "ts + INTERVAL 1 DAY - INTERVAL 1 DAY = @", "CAST(ts AS DATE)::TIMESTAMP = @", "(SELECT max(ts) FROM t) = @",
		"list_value(ts)[1] = @", "struct_pack(a := ts).a = @", "len(list_filter([ts], x -> x = @)) = 1", "ts = ANY (SELECT ts FROM t WHERE ts = @)",
		"@ = ANY (SELECT ts FROM t)", "(ts, id) = (@, 1)", "(ts, id) IN ((@, 1))", "ts = greatest(@, ts)", "make_timestamp(1767225600000000) = @",
		"ts NOT IN (@, NULL) IS NOT NULL", "NOT ts <> @", "name = @", "name IN (@, 'x')", "ts = @ AND name = @", "CASE WHEN id = 1 THEN ts END = @",
		"(ts = @) = true", "ts::VARCHAR || @ LIKE '2026%'", "ts BETWEEN @ AND now() + INTERVAL 100 YEAR",
	} {
		for _, param := range []bool{false, true} {
			sql, params := "SELECT count(*)::INT AS n FROM t WHERE "+strings.ReplaceAll(cond, "@", "'"+written+"'"), []kalam.Value(nil)
			if param {
				sql, params = "SELECT count(*)::INT AS n FROM t WHERE "+strings.ReplaceAll(cond, "@", "$1"), []kalam.Value{txt(written)}
			}
			got, err := e.text(t.Context(), sql, testArgs(params...), src)
			if err != nil || got != "n INT\n1" {
				t.Errorf("%s: %q, %v", sql, got, err)
			}
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
