package query_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
)

// everyType has one column per kind, with the extremes of DECIMAL.
const everyType = `id BIGINT, b BOOLEAN, s SMALLINT, i INT, l BIGINT, f FLOAT, d DOUBLE, dec DECIMAL(38;10),
	small DECIMAL(4;2), mid DECIMAL(18;0),
	whole DECIMAL(38;0), frac DECIMAL(38;38), t TEXT, ts TIMESTAMP, dt DATETIME,
	day DATE, tm TIME, j JSON, raw BYTES, u UUID`

// samples are values of each kind that are hard to keep.
func samples(t testing.TB, dt kalam.DataType) []kalam.Value {
	t.Helper()
	texts := map[kalam.Kind][]string{
		kalam.KindText: {
			"",
			" ",
			"a",
			"ünïcode 🙂",
			"nul\x00inside",
			strings.Repeat("long ", 3000),
			"'quoted\"",
			"\r\n\t",
			"exactly 12 b",
			"thirteen byte",
		},
		kalam.KindTimestamp: {
			"1970-01-01 00:00:00",
			"2024-02-29 23:59:59.999999",
			"1900-01-01 00:00:00.000001",
			"2100-12-31 12:00:00",
		},
		kalam.KindDateTime: {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59.999999Z", "1900-01-01T00:00:00.000001Z"},
		kalam.KindDate:     {"1970-01-01", "2024-02-29", "0001-01-01", "9999-12-31"},
		kalam.KindTime:     {"00:00:00", "23:59:59.999999", "12:34:56.789012"},
		kalam.KindJSON: {
			`{}`,
			`{"a": [1, 2.5, null], "b": "x"}`,
			`null`,
			`"text"`,
			`[]`,
			`{"deep":{"a":{"b":{"c":"\u00e9"}}}}`,
		},
		kalam.KindUUID: {
			"00000000-0000-0000-0000-000000000000",
			"ffffffff-ffff-ffff-ffff-ffffffffffff",
			"123e4567-e89b-12d3-a456-426614174000",
			"80000000-0000-0000-0000-000000000001",
		},
	}
	var out []kalam.Value
	for _, s := range texts[dt.Kind] {
		v, err := datatype.FromText(dt, s)
		if err != nil {
			t.Fatalf("%s %q: %v", dt, s, err)
		}
		out = append(out, v)
	}
	switch dt.Kind {
	case kalam.KindBoolean:
		out = append(out, kalam.Bool(true), kalam.Bool(false))
	case kalam.KindSmallInt:
		out = append(out, kalam.Integer(dt.Kind, math.MinInt16), kalam.Integer(dt.Kind, math.MaxInt16))
	case kalam.KindInt:
		out = append(out, kalam.Integer(dt.Kind, math.MinInt32), kalam.Integer(dt.Kind, math.MaxInt32))
	case kalam.KindBigInt:
		out = append(out, big(math.MinInt64), big(math.MaxInt64), big(0))
	case kalam.KindFloat:
		for _, f := range []float32{
			0, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.NaN()),
			float32(math.Inf(1)), -1.5,
		} {
			out = append(out, kalam.Float(f))
		}
	case kalam.KindDouble:
		for _, f := range []float64{
			0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Inf(-1), 0.1,
		} {
			out = append(out, kalam.Double(f))
		}
	case kalam.KindDecimal:
		whole := strings.Repeat("9", int(dt.Precision-dt.Scale))
		if whole == "" {
			whole = "0"
		}
		frac := strings.Repeat("9", int(dt.Scale))
		for _, s := range []string{
			"0", "-0." + strings.Repeat("0", max(int(dt.Scale)-1, 0)) + "1", whole + "." + frac, "-" + whole + "." + frac,
		} {
			v, err := datatype.FromNumber(dt, strings.TrimSuffix(strings.TrimPrefix(s, "."), "."))
			if err != nil && dt.Scale == 0 {
				continue
			}
			if err != nil {
				t.Fatalf("%s %q: %v", dt, s, err)
			}
			out = append(out, v)
		}
	case kalam.KindBytes:
		out = append(
			out,
			kalam.Bytes(""),
			kalam.Bytes("\x00"),
			kalam.Bytes("\xff\x00\x80'"),
			kalam.Bytes(strings.Repeat("\xde\xad", 5000)),
		)
	}
	return append(out, kalam.Null())
}

// rowsOfEveryType returns n rows whose columns run through all samples.
func rowsOfEveryType(t testing.TB, schema *arrow.Schema, n int) [][]kalam.Value {
	t.Helper()
	cols := make([][]kalam.Value, schema.NumFields())
	for i := range cols {
		cols[i] = samples(t, datatype.TypeOfArrow(schema.Field(i)))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	rows := make([][]kalam.Value, n)
	for r := range rows {
		rows[r] = []kalam.Value{big(int64(r))}
		for _, c := range cols[1:] {
			v := c[r%len(c)]
			if r > 50 {
				v = c[rnd.IntN(len(c))]
			}
			rows[r] = append(rows[r], v)
		}
	}
	return rows
}

// equalValue is equality of bits, with one NaN.
func equalValue(a, b kalam.Value) bool {
	if a.Kind() == b.Kind() && (a.Kind() == kalam.KindDouble || a.Kind() == kalam.KindFloat) && math.IsNaN(a.Float64()) &&
		math.IsNaN(b.Float64()) {
		return true
	}
	return a == b
}

// TestTypesSurvive reads every kind of value back from batches, from Parquet and
// from both, bit for bit.
func TestTypesSurvive(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, everyType)
	rows := rowsOfEveryType(t, schema, 5000)
	batches := batchesOf(t, schema, rows, 2048)
	file := e.file(t, "every.parquet", schema, rows)
	half := query.Source{
		Schema:  schema,
		Files:   []query.File{e.file(t, "half.parquet", schema, rows[:2500])},
		Batches: batchesOf(t, schema, rows[2500:], 700),
	}
	for name, src := range map[string]query.Source{
		"batches": {Schema: schema, Batches: batches},
		"parquet": {Schema: schema, Files: []query.File{file}},
		"half":    half,
	} {
		t.Run(name, func(t *testing.T) {
			got := e.values(t, "SELECT * FROM t", map[string]query.Source{"t": src})
			if len(got) != len(rows) {
				t.Fatalf("%d rows, want %d", len(got), len(rows))
			}
			for r := range rows {
				for c := range rows[r] {
					want := rows[r][c]
					if want.Kind() == kalam.KindJSON {
						want = kalam.Text(want.Str())
					}
					if !equalValue(got[r][c], want) {
						t.Fatalf("row %d, column %s: got %v, want %v", r, schema.Field(c).Name, show(got[r][c]), show(want))
					}
				}
			}
		})
	}
}

func show(v kalam.Value) string {
	return fmt.Sprintf("%s %.60s", v.Kind(), datatype.AppendValue(nil, v))
}

// values returns the rows of a query that must succeed.
func (e *engine) values(
	t testing.TB,
	sql string,
	sources map[string]query.Source,
	params ...kalam.Value,
) [][]kalam.Value {
	t.Helper()
	out, err := e.rows(context.Background(), sql, sources, params...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

// rows returns the rows of a query.
func (e *engine) rows(
	ctx context.Context,
	sql string,
	sources map[string]query.Source,
	params ...kalam.Value,
) ([][]kalam.Value, error) {
	rows, err := e.run(ctx, sql, testArgs(params...), sources)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]kalam.Value
	err = drain(ctx, rows, func(rec arrow.RecordBatch) {
		for r := range int(rec.NumRows()) {
			vals := make([]kalam.Value, rec.NumCols())
			for c := range vals {
				vals[c] = datatype.ValueAt(rec.Column(c), r)
			}
			out = append(out, vals)
		}
	})
	return out, err
}

// TestResultSchema checks the types that results report, also for types that
// only DuckDB has.
func TestResultSchema(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, everyType)
	src := map[string]query.Source{
		"t": {Schema: schema, Batches: batchesOf(t, schema, rowsOfEveryType(t, schema, 60), 2048)},
	}
	for _, tt := range []struct{ sql, want string }{
		{"SELECT b, s, i, l, f, d FROM t LIMIT 0", "b BOOLEAN, s SMALLINT, i INT, l BIGINT, f FLOAT, d DOUBLE"},
		{
			"SELECT dec, small, t, ts, dt, day, tm FROM t LIMIT 0",
			"dec DECIMAL(38,10), small DECIMAL(4,2), t TEXT, ts TIMESTAMP, dt DATETIME, day DATE, tm TIME",
		},
		{"SELECT j, raw, u FROM t LIMIT 0", "j JSON, raw BYTES, u UUID"},
		{"SELECT sum(s) AS x, count(*) AS n FROM t", "x BIGINT, n BIGINT\n\"-19\" \"60\""},
		{"SELECT 170141183460469231731687303715884105727 AS x", "x BIGINT\n\"170141183460469231731687303715884105727\""},
		{"SELECT 5::HUGEINT AS x, (-5)::HUGEINT AS y", "x BIGINT, y BIGINT\n\"5\" \"-5\""},
		{"SELECT 18446744073709551615::UBIGINT AS x", "x BIGINT\n\"18446744073709551615\""},
		{
			"SELECT 340282366920938463463374607431768211455::UHUGEINT AS x",
			"x TEXT\n\"340282366920938463463374607431768211455\"",
		},
		{"SELECT [1, 2] AS x, ['a', NULL] AS y", "x TEXT, y TEXT\n[1,2] [\"a\",null]"},
		{
			"SELECT {'a': 1, 'b': 'x'} AS x, MAP {'k': 2} AS y", `x JSON, y JSON` + "\n" + `"{\"a\":1,\"b\":\"x\"}" "{\"k\":2}"`,
		},
		{"SELECT INTERVAL 3 DAY AS x", "x TEXT\n\"3 days\""},
		{"SELECT 'b'::ENUM('a', 'b') AS x", "x TEXT\n\"b\""},
		{"SELECT TIMESTAMPTZ '2025-01-01 00:00:00+00' AS x", "x DATETIME\n1735689600000000"},
		{"SELECT '10:00:00+02'::TIMETZ AS x", "x TEXT\n\"10:00:00+02\""},
		{"SELECT '0101'::BIT AS x, 1 AS x, ['1'::BIT] AS \"y z\"", "x TEXT, x INT, y z TEXT\n\"0101\" 1 \"[1]\""},
		{"SELECT 123456789012345678901234567890::BIGNUM AS x", "x TEXT\n\"123456789012345678901234567890\""},
		{"SELECT NULL AS x", "x INT\nnull"},
		{
			"SELECT '2025-01-01 00:00:00.123456789'::TIMESTAMP_NS AS x, '2025-01-01'::TIMESTAMP_S AS y",
			"x TIMESTAMP, y TIMESTAMP\n1735689600123456 1735689600000000",
		},
		{
			"SELECT 1::TINYINT AS a, 1::UTINYINT AS b, 1::USMALLINT AS c, 1::UINTEGER AS d",
			"a SMALLINT, b SMALLINT, c INT, d BIGINT\n1 1 1 1",
		},
		{"SELECT [u] AS x FROM t WHERE id = 2", "x TEXT\n[\"123e4567-e89b-12d3-a456-426614174000\"]"},
		{"SELECT union_value(k := 1) AS x", "x TEXT\n1"},
		{"SELECT [1, 2]::INTEGER[2] AS x", "x TEXT\n[1,2]"},
		{"SELECT '12:00:00'::TIME_NS AS x", "x TIME\n43200000000"},
		{"SELECT '{\"a\":1}'::JSON AS x, '{\"a\":1}'::JSON->'a' AS y", "x JSON, y JSON\n\"{\\\"a\\\":1}\" \"1\""},
	} {
		got := e.mustText(t, tt.sql, src)
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.sql, got, tt.want)
		}
	}
}

// TestCopyParquet checks what is in the file beside the rows.
func TestCopyParquet(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, body TEXT, _seq BIGINT")
	var rows [][]kalam.Value
	for i := range 8_000 {
		rows = append(rows, row(big(int64(i)), txt(fmt.Sprintf("body %d", i)), big(int64(100+i))))
	}
	batches := batchesOf(t, schema, rows, 2048)
	batches = append(batches, batchesOf(t, schema, nil, 2048)...)
	path := filepath.Join(e.dir, "it's a file.parquet")
	n, err := e.CopyParquet(t.Context(), query.CopySpec{
		Path: path, Schema: schema, Batches: each(batches), FieldIDs: map[string]int{"id": 1, "body": 7}, RowGroup: 4096,
		Metadata: map[string]string{"kalam.version": "1", "it's": "a 'value'"},
	})
	if want := int64(8_000); err != nil || n != want {
		t.Fatalf("%d rows, %v; want %d", n, err, want)
	}
	got := e.values(
		t,
		"SELECT count(*), min(id), max(id) FROM t",
		map[string]query.Source{"t": {Schema: schema, Files: []query.File{{Path: path}}}},
	)
	if fmt.Sprint(got[0][0].Int(), got[0][1].Int(), got[0][2].Int()) != fmt.Sprint(n, 0, 7999) {
		t.Errorf("read back %v", got)
	}
	checkParquet(t, path, n)
}
