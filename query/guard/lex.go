package guard

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// readable returns sql as DuckDB's parser gets it, beside its lexemes, and refuses what
// is too large to be parsed in reasonable time. Comments, which DuckDB reads in quadratic
// time, and all white space have become blanks of ASCII, so that DuckDB sees the lexemes
// that the limits have counted. Offsets stay.
func readable(sql string) (string, []sqltext.Lexeme, error) {
	lexemes, err := sqltext.Lex(sql)
	if limit := checkSize(sql, lexemes); limit != nil {
		return "", nil, limit
	}
	if err != nil {
		return "", nil, err
	}
	return sqltext.Blank(sql, lexemes), lexemes, nil
}

// checkSize holds a text against the limits of what is parsed.
func checkSize(sql string, lexemes []sqltext.Lexeme) error {
	junctions, quotes, parts := 0, 0, 0
	for _, l := range lexemes {
		switch {
		case sql[l.Pos] == '.':
			if parts++; parts > maxParts {
				return kalam.Errorf(kalam.CodeInvalidSQL, "Query is too large: a name has more than %d parts", maxParts).At(l.Pos)
			}
		case l.Kind != sqltext.LexWord && l.Kind != sqltext.LexQuoted:
			parts = 0
		}
		switch l.Kind {
		case sqltext.LexString, sqltext.LexQuoted:
			quotes += strings.Count(sql[l.Pos+1:l.End], "''") + strings.Count(sql[l.Pos+1:l.End], `""`)
		case sqltext.LexWord:
			if w := sql[l.Pos:l.End]; strings.EqualFold(w, "and") || strings.EqualFold(w, "or") {
				junctions++
			}
		}
	}
	switch {
	case len(lexemes) > maxLexemes:
		return kalam.Errorf(kalam.CodeInvalidSQL, "Query is too large: it has more than %d words", maxLexemes)
	case junctions > maxJunctions:
		return kalam.Errorf(
			kalam.CodeInvalidSQL,
			"Query is too large: it has more than %d ANDs and ORs; use IN",
			maxJunctions,
		)
	case quotes > maxQuotes:
		return kalam.Errorf(
			kalam.CodeInvalidSQL,
			"Query is too large: its strings hold more than %d quotes; use parameters",
			maxQuotes,
		)
	}
	return nil
}

// lexemesOf returns the lexemes of a text that the parser has taken.
func lexemesOf(sql string) []sqltext.Lexeme {
	lexemes, _ := sqltext.Lex(sql) // What follows a flaw is of no use to anybody.
	return lexemes
}

// nameAt reads the name of one or more parts at pos. ok is false when there is
// none. Parts are in lower case, as what they name is kept.
func nameAt(sql string, pos int) (parts []string, ok bool) {
	lexemes := lexemesOf(sql[pos:min(len(sql), pos+maxNameText)])
	for i := 0; i < len(lexemes); i += 2 {
		text := sql[pos+lexemes[i].Pos : pos+lexemes[i].End]
		switch lexemes[i].Kind {
		case sqltext.LexWord:
			parts = append(parts, strings.ToLower(text))
		case sqltext.LexQuoted:
			parts = append(parts, strings.ToLower(strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)))
		default:
			return nil, false
		}
		if i+1 == len(lexemes) || sql[pos+lexemes[i+1].Pos:pos+lexemes[i+1].End] != "." {
			return parts, true
		}
	}
	return nil, false
}

// maxNameText is the length of the longest text of a name of several parts.
const maxNameText = 4096

// byteOffset returns the offset in bytes of the n-th character of s.
func byteOffset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}
