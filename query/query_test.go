package query_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

func TestSmoke(t *testing.T) {
	e := newEngine(t)
	msgs := source(t, "id BIGINT, body TEXT, _seq BIGINT, _deleted BOOLEAN",
		row(big(1), txt("one"), big(10), kalam.Bool(false)),
		row(big(2), txt("two"), big(11), kalam.Bool(false)),
		row(big(3), kalam.Null(), big(12), kalam.Bool(true)))
	files := msgs
	files.Files = []query.File{e.file(t, "a.parquet", msgs.Schema, [][]kalam.Value{
		row(big(7), txt("seven"), big(1), kalam.Bool(false)), row(big(8), txt("eight"), big(2), kalam.Bool(false))})}
	src := map[string]query.Source{"app.msgs": msgs, "app.files": files}
	for _, sql := range []string{
		"SELECT * FROM app.msgs",
		"SELECT * FROM app.files",
		"SELECT * FROM app.files ORDER BY id DESC LIMIT 3",
		"SELECT count(*), sum(id), max(body) FROM app.msgs",
		"SELECT a.id, b.body FROM app.msgs a JOIN app.msgs b USING (id)",
		"SELECT now(), CURRENT_USER, current_user(), CURRENT_ROLE, CURRENT_TIMESTAMP, CURRENT_DATE, SNOWFLAKE_ID(), length(ulid()), uuid_v7() > uuid_v7()",
		"SELECT app.msgs.id, _updated FROM app.msgs WHERE app.msgs.id > 1",
		"WITH c AS (SELECT id FROM app.msgs) SELECT count(*) FROM c JOIN c AS d USING (id)",
		"SELECT gen_random_uuid() IS NOT NULL, 'x'::uuid",
		"SELECT json_get('{\"a\":[1,{\"b/c\":2}]}', 'a', 1, 'b/c'), json_length('[1,2]'), json_contains('{\"k\":null}', 'k'), json_get_str('{\"a\":\"x\"}','a'), json_get_int('{\"a\":\"x\"}','a')",
	} {
		p, err := e.Analyse(t.Context(), sql)
		t.Log(sql, p, err)
		s, err := e.text(t.Context(), sql, testArgs(), src)
		t.Logf("%s\n%v", s, err)
	}
}
