package dialect

// IsQuery reports whether sql begins as a statement that reads rows and changes
// nothing: SELECT, WITH, VALUES, FROM, TABLE, SUMMARIZE or a parenthesis.
func IsQuery(sql string) bool {
	l := newLexer(sql)
	t := l.next()
	return isQueryStart(sql, t)
}

// queryWords begin a query.
const queryWords = " SELECT WITH VALUES FROM TABLE SUMMARIZE PIVOT UNPIVOT PIVOT_WIDER PIVOT_LONGER "

func isQueryStart(src string, t token) bool {
	if t.kind == tPunct {
		return t.ch == '('
	}
	return t.kind == tWord && wordIn(src[t.pos:t.end], queryWords) && !dotFollows(src, t.end)
}
