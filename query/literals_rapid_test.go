package query_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
)

// formed is a value with a text that means it.
type formed struct {
	value kalam.Value
	text  string
}

// formKinds are the kinds that drawFormed draws values of.
var formKinds = []kalam.Kind{
	kalam.KindBoolean, kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindDouble, kalam.KindTimestamp,
	kalam.KindDateTime,
	kalam.KindDate, kalam.KindTime, kalam.KindBytes, kalam.KindUUID, kalam.KindText,
}

// drawFormed draws one of few values of a kind, in a form of its own.
func drawFormed(t *rapid.T, k kalam.Kind) formed {
	n := rapid.Int64Range(0, 6).Draw(t, "n")
	blanks := rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "blanks")
	pick := func(forms ...string) string { return rapid.SampledFrom(forms).Draw(t, "form") }
	switch k {
	case kalam.KindBoolean:
		if n%2 == 1 {
			return formed{kalam.Bool(true), blanks + pick("true", "t", "yes", "y", "on", "1", "TRUE", "On")}
		}
		return formed{kalam.Bool(false), blanks + pick("false", "f", "no", "n", "off", "0", "FALSE")}
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt:
		n = (n - 3) * 100
		return formed{
			kalam.Integer(k, n),
			blanks + pick(fmt.Sprint(n), fmt.Sprintf("%d.00", n), fmt.Sprintf("%de2", n/100)) + blanks,
		}
	case kalam.KindDouble:
		return formed{
			kalam.Double(float64(n) / 4),
			blanks + pick(fmt.Sprint(float64(n)/4), fmt.Sprintf("%de-2", n*25), fmt.Sprintf("%.5f", float64(n)/4)),
		}
	case kalam.KindTimestamp, kalam.KindDateTime:
		at := time.UnixMicro(1767225600_000000 + n*37*60_000000).UTC()
		offset := rapid.IntRange(-12, 14).Draw(t, "offset")
		local := at.Add(time.Duration(offset) * time.Hour)
		zone := fmt.Sprintf("%+03d", offset)
		return formed{kalam.Integer(k, at.UnixMicro()), blanks + pick(
			at.Format(
				"2006-01-02T15:04:05Z",
			),
			at.Format("2006-01-02 15:04Z"),
			at.Format("2006-01-02 15:04:05.000000"),
			at.Format("2006-01-02T15:04 UTC"),
			local.Format(
				"2006-01-02T15:04",
			)+zone,
			local.Format("2006-01-02 15:04:05 ")+zone+":00",
			local.Format("2006-01-02 15:04:05.000")+zone+"00",
		)}
	case kalam.KindDate:
		return formed{kalam.Integer(k, 20454+n), blanks + time.Unix((20454+n)*86400, 0).UTC().Format("2006-01-02") + blanks}
	case kalam.KindTime:
		at := time.UnixMicro(n * 3600_000000).UTC()
		return formed{kalam.Integer(k, n*3600_000000), blanks + at.Format(pick("15:04", "15:04:05", "15:04:05.000"))}
	case kalam.KindBytes:
		b := []byte{byte(n), 0xFE, byte(n)}
		return formed{
			kalam.Bytes(string(b)),
			pick("0x"+hex.EncodeToString(b), `\x`+hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b),
				fmt.Sprintf("[%d, 254,%d]", n, n), fmt.Sprintf(`\x%02X\xFE\x%02X`, n, n)),
		}
	case kalam.KindUUID:
		u := [16]byte{0: byte(n), 15: 0xAB}
		text := datatype.Format(kalam.UUID(u))
		return formed{
			kalam.UUID(u),
			blanks + pick(text, strings.ToUpper(text), "{"+text+"}", strings.ReplaceAll(text, "-", "")),
		}
	}
	return formed{kalam.Text(fmt.Sprint("0x0", n)), fmt.Sprint("0x0", n)}
}

// conditions have literals in the place of each @.
var conditions = []string{
	"c = @", "@ = c", "c <> @", "c < @", "c >= @", "@ > c", "c IN (@, @)", "c NOT IN (@, NULL)", "c BETWEEN @ AND @",
	"c NOT BETWEEN @ AND @", "c IS DISTINCT FROM @",
	"NOT (c IS NOT DISTINCT FROM @ OR c IS NULL)", "coalesce(c, @) = @", "CASE c WHEN @ THEN id > 3 WHEN @ THEN true END",
	"nullif(c, @) IS NULL", "(c, id) = (@, 2)",
	"(id, c) IN ((1, @), (2, @))", "(coalesce(c, c), id) = (@, 2)",
	"(id, (greatest(c, c), id)) IN ((1, (@, 1)), (2, (@, 2)))", "(SELECT max(x.c) FROM t AS x) > @",
	"EXISTS (SELECT 1 FROM t AS x WHERE x.c = @ AND x.id >= t.id)", "@ IN (SELECT c FROM t)",
	"c = CAST(@ AS TYPE)", "c = @ OR id = 1", "greatest(c, @) = @",
	"id IN (SELECT y.id FROM (SELECT id, c AS d FROM t) AS y WHERE y.d >= @)",
}

// TestFormsAreEqual: a condition with values in any of their forms, as literals or
// parameters, finds what stock DuckDB finds with the values in its own form, over
// buffered and flushed rows. Case A3.
func TestFormsAreEqual(t *testing.T) {
	e := newEngine(t)
	checked, files := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		k := rapid.SampledFrom(formKinds).Draw(rt, "kind")
		schema := columnsOf(t, "id BIGINT, c "+k.String())
		var rows [][]kalam.Value
		for i := range rapid.Int64Range(1, 12).Draw(rt, "rows") {
			v := kalam.Null()
			if rapid.IntRange(0, 7).Draw(rt, "null") > 0 {
				v = drawFormed(rt, k).value
			}
			rows = append(rows, []kalam.Value{big(i), v})
		}
		files++
		flushed := rapid.IntRange(0, len(rows)).Draw(rt, "flushed")
		src := query.Source{Schema: schema, Batches: batchesOf(t, schema, rows[flushed:], 2048)}
		if flushed > 0 {
			src.Files = append(src.Files, e.file(t, fmt.Sprintf("forms%d.parquet", files), schema, rows[:flushed]))
		}
		sources := map[string]query.Source{"t": src}
		for range 8 {
			cond := rapid.SampledFrom(conditions).Draw(rt, "cond")
			asParams := rapid.Bool().Draw(rt, "params")
			sql, plain, params := fillForms(rt, "SELECT id FROM t WHERE "+cond+" ORDER BY id", k, asParams)
			want, err := e.text(t.Context(), plain, testArgs(), sources)
			if err != nil {
				rt.Fatalf("%s: %v", plain, err)
			}
			got, err := e.text(t.Context(), sql, testArgs(params...), sources)
			if err != nil || got != want {
				rt.Fatalf("%s %v: got %q, %v\n%s: %q", sql, params, got, err, plain, want)
			}
			checked++
		}
	})
	t.Logf("%d conditions", checked)
}

// fillForms puts values into the places of a text: in forms of theirs, and as casts
// of the text that DuckDB has for them.
func fillForms(t *rapid.T, text string, k kalam.Kind, asParams bool) (sql, plain string, params []kalam.Value) {
	duck := map[kalam.Kind]string{kalam.KindBytes: "BLOB", kalam.KindDateTime: "TIMESTAMPTZ"}[k]
	if duck == "" {
		duck = k.String()
	}
	text = strings.ReplaceAll(text, "TYPE", duck)
	for i, part := range strings.Split(text, "@") {
		if i > 0 {
			f := drawFormed(t, k)
			plain += "CAST('" + datatype.SQLText(f.value) + "' AS " + duck + ")"
			if asParams {
				params = append(params, kalam.Text(f.text))
				sql += fmt.Sprintf("$%d", len(params))
			} else {
				sql += "'" + f.text + "'"
			}
		}
		sql += part
		plain += part
	}
	return sql, plain, params
}
