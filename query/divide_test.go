package query_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/worker"
)

// TestQuotients is case A7: in the dialect of PostgreSQL / of two integers of any type is
// what // is in DuckDB, and of everything else, intervals too, what / is there.
func TestQuotients(t *testing.T) {
	pg := newEngine(t, func(o *worker.Options) { o.PostgreSQL = true })
	duck := newEngine(t)
	var rows [][]kalam.Value
	for i := range int64(3000) {
		v := kalam.BigInt(i%7 - 3)
		if i%11 == 0 {
			v = kalam.Null()
		}
		rows = append(rows, row(big(i), v))
	}
	sources := map[string]query.Source{"t": source(t, "id BIGINT, n BIGINT", rows...)}
	same := func(own, plain string) {
		t.Helper()
		if got, want := pg.mustText(t, own, sources), duck.mustText(t, plain, sources); got != want {
			t.Errorf("%s: %.300s\nwant %.300s", own, got, want)
		}
	}
	const integers = "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT"
	for _, typ := range strings.Fields(integers) {
		n, low := "n", "-120"
		if typ[0] == 'U' {
			n, low = "abs(n)", "120"
		}
		const form = "SELECT id, (id %% 100)::%[1]s %[4]s (%[2]s)::%[1]s AS q, " +
			"(%[3]s)::%[1]s %[4]s (%[2]s)::%[1]s AS r FROM t ORDER BY id"
		same(fmt.Sprintf(form, typ, n, low, "/"), fmt.Sprintf(form, typ, n, low, "//"))
	}
	for _, items := range []string{
		"INTERVAL '3 days' / 2, INTERVAL '1 hour' / 0.5, INTERVAL '1 month' / id::DOUBLE",
		"7.5 / 2, 7 / 2.0, 7e0 / 0, 7.5 / 0, id / 4e0, id::FLOAT / 2, id / 2.5",
		"7 // 2, 7 % 0, mod(7, 2), 7.5 % 2, divide(7, 2), 7 // 0", "try(id // 0), id % 3",
	} {
		same("SELECT "+items+" FROM t ORDER BY id", "SELECT "+items+" FROM t ORDER BY id")
	}
	same("SELECT 7 / 0 AS a, 0 / 0 AS b, n / 0 AS c FROM t", "SELECT 7 // 0 AS a, 0 // 0 AS b, n // 0 AS c FROM t")
	same("SELECT count(*) AS c FROM range(600000) AS r(i) WHERE i % 3 <> 0 AND 100 / (i % 3) > 30",
		"SELECT count(*) AS c FROM range(600000) AS r(i) WHERE i % 3 <> 0 AND 100 // (i % 3) > 30")
	for _, typ := range []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"} {
		lowest := map[string]string{
			"TINYINT": "-128", "SMALLINT": "-32768", "INTEGER": "-2147483648", "BIGINT": "-9223372036854775808",
			"HUGEINT": "-170141183460469231731687303715884105728"}[typ]
		for divisor, code := range map[string]kalam.Code{"-1": kalam.CodeConstraint, "1": 0} {
			sql := fmt.Sprintf("SELECT ('%s'::%s) / (%s)::%s AS q", lowest, typ, divisor, typ)
			got, err := pg.text(context.Background(), sql, testArgs(), nil)
			if code != 0 && kalam.CodeOf(err) != code || code == 0 && !strings.Contains(got, lowest) {
				t.Errorf("%s: %q, %v", sql, got, err)
			}
		}
	}
}
