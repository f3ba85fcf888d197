package dialect

import (
	"github.com/kalamlake/kalam/sqltext"
)

// IsQuery reports whether sql begins as a statement that reads rows and changes
// nothing: SELECT, WITH, VALUES, FROM, TABLE, SUMMARIZE or a parenthesis.
func IsQuery(sql string) bool {
	l := sqltext.NewLexer(sql)
	t := l.Next()
	return isQueryStart(sql, t)
}

// queryWords begin a query.
const queryWords = " SELECT WITH VALUES FROM TABLE SUMMARIZE PIVOT UNPIVOT PIVOT_WIDER PIVOT_LONGER "

func isQueryStart(src string, t sqltext.Token) bool {
	if t.Kind == sqltext.Punct {
		return t.Ch == '('
	}
	return t.Kind == sqltext.Word && sqltext.WordIn(src[t.Pos:t.End], queryWords) && !sqltext.DotFollows(src, t.End)
}
