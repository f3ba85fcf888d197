package spelling

import (
	"github.com/kalamlake/kalam/sqltext"
)

// SoftWords are reserved in DuckDB's grammar and names in PostgreSQL and KalamDB. Here
// they are names where the grammar has no use for them: see softName.
const SoftWords = " AT BY "

// ColumnWords can name a column without quotes, though KalamDB takes them for no table.
const ColumnWords = SoftWords + "INDEX "

// softName reports whether token i is one of softWords and stands for a name: BY is none
// after GROUP, ORDER and PARTITION and before NAME, AT none before TIME and a parenthesis.
func softName(src string, toks []sqltext.Token, i int) bool {
	t := toks[i]
	if t.Kind != sqltext.Word || t.End-t.Pos != 2 || !sqltext.WordIn(src[t.Pos:t.End], SoftWords) {
		return false
	}
	text := func(i int) string {
		if i < 0 || i >= len(toks) || toks[i].Kind != sqltext.Word {
			return ""
		}
		return src[toks[i].Pos:toks[i].End]
	}
	if sqltext.IsWord(src[t.Pos:t.End], "BY") {
		return !sqltext.WordIn(text(i-1), " GROUP ORDER PARTITION ") &&
			!(sqltext.IsWord(text(i+1), "NAME") && sqltext.WordIn(text(i-1), " UNION ALL "))
	}
	opens := i+1 < len(toks) && toks[i+1].Kind == sqltext.Punct && toks[i+1].Ch == '('
	return !opens && !sqltext.IsWord(text(i+1), "TIME")
}
