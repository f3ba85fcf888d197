package query_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
)

// under runs a query of t under settings and returns its rows in one line.
func (e *engine) under(t *testing.T, sql string, set query.Settings, src query.Source, params ...kalam.Value) string {
	t.Helper()
	ctx := context.Background()
	p, err := e.AnalyseWith(ctx, testUser, sql, set)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	rows, err := e.Query(ctx, p, []query.Source{src}[:len(p.Tables())], testArgs(params...))
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var cells []string
	err = drain(ctx, rows, func(rec arrow.RecordBatch) {
		for i := range int(rec.NumRows()) {
			cells = append(cells, strings.Trim(string(datatype.AppendCell(nil, rec.Column(0), i)), `"`))
		}
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(cells, " ")
}

// TestSettings runs texts under settings: each run has its own, also on connections and with plans that others used
// before.
func TestSettings(t *testing.T) {
	e := newEngine(t)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	schema := columnsOf(t, "n BIGINT, dt DATETIME")
	at := kalam.Integer(kalam.KindDateTime, time.Date(2025, 6, 30, 22, 30, 0, 0, time.UTC).UnixMicro())
	src := query.Source{
		Schema:  schema,
		Batches: batchesOf(t, schema, [][]kalam.Value{{big(1), at}, {kalam.Null(), at}}, 10),
	}
	utc, east, far := query.Settings{}, query.Settings{Zone: berlin}, query.Settings{Zone: tokyo}
	for _, tt := range []struct {
		sql  string
		want [3]string // In UTC, Berlin, Tokyo.
		args []kalam.Value
	}{
		{sql: "SELECT dt::TEXT FROM t LIMIT 1", want: [3]string{
			"2025-06-30 22:30:00+00", "2025-07-01 00:30:00+02", "2025-07-01 07:30:00+09"}},
		{sql: "SELECT hour(dt) FROM t LIMIT 1", want: [3]string{"22", "0", "7"}},
		{sql: "SELECT count(*) FROM t WHERE dt = '2025-07-01 00:30'", want: [3]string{"0", "2", "0"}},
		{sql: "SELECT count(*) FROM t WHERE dt = $1", want: [3]string{"0", "2", "0"},
			args: []kalam.Value{kalam.Text("2025-07-01 00:30")}},
		{sql: "SELECT count(*) FROM t WHERE dt = DATETIME '2025-07-01 07:30'", want: [3]string{"0", "0", "2"}},
		{sql: "SELECT LOCALTIMESTAMP::TEXT", want: [3]string{
			"2025-03-04 05:06:07.891234", "2025-03-04 06:06:07.891234", "2025-03-04 14:06:07.891234"}},
		{sql: "SELECT NOW()::TEXT", want: [3]string{"2025-03-04 05:06:07.891234",
			"2025-03-04 05:06:07.891234", "2025-03-04 05:06:07.891234"}},
	} {
		for range 2 {
			for i, set := range []query.Settings{utc, east, far, utc} {
				if got := e.under(t, tt.sql, set, src, tt.args...); got != tt.want[i%3] {
					t.Errorf("%s in %v: %s, want %s", tt.sql, set.Zone, got, tt.want[i%3])
				}
			}
		}
	}
	up, down := "1 null", "null 1"
	for order, want := range map[query.NullOrder][2]string{
		query.NullsFirst: {down, down}, query.NullsLast: {up, up}, query.NullsLow: {down, up}, query.NullsHigh: {up, down},
	} {
		set := query.Settings{Nulls: order}
		for i, sql := range []string{"SELECT n FROM t ORDER BY n", "SELECT n FROM t ORDER BY n DESC"} {
			if got := e.under(t, sql, set, src); got != want[i] {
				t.Errorf("%s with NULLs %d: %s, want %s", sql, order, got, want[i])
			}
		}
		if got := e.under(t, "SELECT n FROM t ORDER BY n NULLS LAST", set, src); got != up {
			t.Errorf("NULLS LAST with NULLs %d: %s", order, got)
		}
	}
}

// TestDescribe tells what texts take and give without running them.
func TestDescribe(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, name TEXT, ts TIMESTAMP, price DECIMAL(10;2), j JSON")
	for _, tt := range []struct {
		sql      string
		declared []kalam.DataType
		want     string
	}{
		{sql: "SELECT id, name FROM t WHERE id = $1", want: "[BIGINT] [{id BIGINT} {name TEXT}]"},
		{sql: "SELECT id AS x, id AS x FROM t LIMIT $1", want: "[BIGINT] [{x BIGINT} {x BIGINT}]"},
		{sql: "SELECT ts, price, j FROM t WHERE ts > $2 AND price < $1",
			want: "[DECIMAL(10,2) TIMESTAMP] [{ts TIMESTAMP} {price DECIMAL(10,2)} {j JSON}]"},
		{sql: "SELECT $1 AS a", want: "[TEXT] [{a TEXT}]"},
		{sql: "SELECT $1 AS a", declared: []kalam.DataType{kalam.TypeOf(kalam.KindInt)}, want: "[INT] [{a INT}]"},
		{sql: "SELECT sum(price) AS s, count(*) AS n, now() AS t, current_user AS u FROM t",
			want: "[] [{s DECIMAL(38,2)} {n BIGINT} {t TIMESTAMP} {u TEXT}]"},
		{sql: "SELECT [1] AS l, 5::HUGEINT AS h, INTERVAL 1 DAY AS i", want: ""},
		{sql: "SELECT count(*) AS n FROM range(1000000000000)", want: "[] [{n BIGINT}]"},
	} {
		ctx := context.Background()
		p, err := e.Analyse(ctx, testUser, tt.sql)
		if err != nil {
			t.Fatal(err)
		}
		d, err := e.Describe(ctx, p, []*arrow.Schema{schema}[:len(p.Tables())], tt.declared, testArgs())
		if got := fmt.Sprint(d.Params, " ", d.Columns); err != nil || tt.want != "" && got != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.sql, got, err, tt.want)
		}
		if tt.want != "" {
			continue
		}
		rows, err := e.Query(ctx, p, nil, testArgs())
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range rows.Schema().Fields() {
			if i >= len(d.Columns) || datatype.TypeOfArrow(f) != d.Columns[i].Type {
				t.Errorf("%s: column %s is described as %v", tt.sql, f.Name, d.Columns)
			}
		}
		rows.Close()
	}
}
