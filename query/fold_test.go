package query_test

import (
	"testing"

	"github.com/kalamlake/kalam/query"
)

// TestNamesAreFolded: names without quotes are in lower case, wherever they stand;
// quoted ones, strings, parameters and JSON paths stay.
func TestNamesAreFolded(t *testing.T) {
	e := newEngine(t)
	src := source(t, "id BIGINT, body TEXT", row(big(1), txt("Ä B")))
	for sql, want := range map[string]string{
		`SELECT Id AS Total, ID AS "Total 2", BODY AS ÄX FROM T`: "total BIGINT, Total 2 " +
			"BIGINT, Äx TEXT\n\"1\" \"1\" \"Ä B\"",
		`SELECT X."Id" AS A FROM (SELECT 7 AS "Id") AS X`: "a INT\n7",
		`WITH Q AS (SELECT 'It''s A' AS V, E'\'B' AS W, $q$C 'D$q$ AS X) SELECT * FROM Q`: "v TEXT, w TEXT, x " +
			"TEXT\n\"It's A\" \"'B\" \"C 'D\"",
		`SELECT /* AS X */ '{"A": 1}'::JSON ->> '$.A' AS J -- AS K`: "j TEXT\n\"1\"",
		`SELECT 1E2 AS E, TRUE AS T`:                                "e DOUBLE, t BOOLEAN\n100.0 true",
		// Wide blanks are blanks outside literals only, also behind an escaped quote.
		"SELECT\u00a0E'\\'\u00a0a' AS\u2003E, '\u00a0' AS P": "e TEXT, p TEXT\n\"'\u00a0a\" \"\u00a0\"",
		// Names that are values keep their case (case A4).
		`SELECT {FooBar: 1, "B c": X.ID} AS S, struct_pack(Baz := 2) AS P FROM T AS X`: "s JSON, p JSON\n" +
			"\"{\\\"FooBar\\\":1,\\\"B c\\\":\\\"1\\\"}\" \"{\\\"Baz\\\":2}\"",
		`SELECT ROW(1, 2)::STRUCT(FooBar INT, B INT) AS S`: "s JSON\n" +
			"\"{\\\"FooBar\\\":1,\\\"B\\\":2}\"",
		`SELECT N, V FROM (SELECT 1 AS Jan, 2 AS Feb) ` +
			`UNPIVOT (V FOR N IN (Jan AS January, Feb)) ORDER BY V`: "n TEXT, v INT\n" +
			"\"January\" 1\n\"feb\" 2",
		`SELECT N AS Mon, V FROM (UNPIVOT (SELECT 1 AS Jan) ON Jan AS January ` +
			`INTO NAME N VALUE V) AS Q`: "mon TEXT, v INT\n" +
			"\"January\" 1",
		`SELECT LIST_TRANSFORM([1], LAMBDA X: X + ID)[1:1] AS L, {A: {B: 'C'}}.A.B AS F ` +
			`FROM T UNION ALL SELECT [7], 'D'`: "l TEXT, f TEXT\n" +
			"[\"2\"] \"C\"\n[\"7\"] \"D\"",
	} {
		if got := e.mustText(t, sql, map[string]query.Source{"t": src}); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", sql, got, want)
		}
	}
}
