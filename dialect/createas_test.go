package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// TestCreateTableAs: the columns are the query's, the key may be named (case A7).
func TestCreateTableAs(t *testing.T) {
	for sql, want := range map[string]struct {
		query  string
		key    int
		noData bool
	}{
		"CREATE USER TABLE a.t AS SELECT * FROM b": {
			"SELECT * FROM b", 0, false,
		},
		"CREATE TABLE t (PRIMARY KEY (x, \"Y\")) AS (SELECT 1 AS x, 2 AS y) WITH DATA;": {
			"(SELECT 1 AS x, 2 AS y)", 2, false,
		},
		"create shared table if not exists t flush rows 5 as with data as (select 1) from data with no data": {
			"with data as (select 1) from data", 0, true,
		},
		"CREATE STREAM TABLE t WITH (TTL_SECONDS = 5) AS VALUES ($1, 'as')": {
			"VALUES ($1, 'as')", 0, false,
		},
	} {
		st, err := dialect.Parse(sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		got := st.(*ast.CreateTable)
		if got.As.SQL != want.query || len(got.Key) != want.key || got.NoData != want.noData ||
			len(got.Table.Columns) != 0 {
			t.Errorf("%s: %+v", sql, got)
		}
	}
	const identity = "CREATE TABLE t (id BIGINT PRIMARY KEY, n INT GENERATED ALWAYS AS IDENTITY)"
	if st, err := dialect.Parse(identity); err == nil && st.(*ast.CreateTable).As.SQL != "" {
		t.Error("AS inside parentheses begins a query")
	}
}
