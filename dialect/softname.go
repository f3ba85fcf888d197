package dialect

// softWords are reserved in DuckDB's grammar and names in PostgreSQL and KalamDB. Here
// they are names where the grammar has no use for them: see softName.
const softWords = " AT BY "

// columnWords can name a column without quotes, though KalamDB takes them for no table.
const columnWords = softWords + "INDEX "

// softName reports whether token i is one of softWords and stands for a name: BY is none
// after GROUP, ORDER and PARTITION and before NAME, AT none before TIME and a parenthesis.
func softName(src string, toks []token, i int) bool {
	t := toks[i]
	if t.kind != tWord || t.end-t.pos != 2 || !wordIn(src[t.pos:t.end], softWords) {
		return false
	}
	text := func(i int) string {
		if i < 0 || i >= len(toks) || toks[i].kind != tWord {
			return ""
		}
		return src[toks[i].pos:toks[i].end]
	}
	if isWord(src[t.pos:t.end], "BY") {
		return !wordIn(text(i-1), " GROUP ORDER PARTITION ") && !(isWord(text(i+1), "NAME") && wordIn(text(i-1), " UNION ALL "))
	}
	opens := i+1 < len(toks) && toks[i+1].kind == tPunct && toks[i+1].ch == '('
	return !opens && !isWord(text(i+1), "TIME")
}
