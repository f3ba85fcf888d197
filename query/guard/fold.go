package guard

import (
	"strings"

	"github.com/kalamlake/kalam/sqltext"
)

// foldNames returns sql with its names in lower case, unless they are quoted, as
// SQL has it; DuckDB would keep the case of an alias. Keywords and numbers, which
// are words too, mean the same in lower case. Names that are values keep their case:
// the keys of structs, and what UNPIVOT calls the columns that it turns into rows.
// Offsets stay.
func foldNames(sql string, lexemes []sqltext.Lexeme) string {
	out := []byte(sql)
	f := folder{sql: sql, lexemes: lexemes}
	for i, l := range lexemes {
		f.enter(i)
		if l.Kind != sqltext.LexWord || f.isValue(i) {
			continue
		}
		for k := l.Pos; k < l.End; k++ {
			if c := sql[k]; c >= 'A' && c <= 'Z' {
				out[k] = c + 'a' - 'A'
			}
		}
	}
	return string(out)
}

// bracket is what a pair of brackets holds.
type bracket uint8

const (
	bracketPlain   bracket = iota
	bracketStruct          // {key: value}
	bracketFields          // STRUCT(name type)
	bracketUnpivot         // UNPIVOT (value FOR name IN (...))
	bracketNames           // The list of that IN.
)

// folder knows in which brackets a lexeme stands.
type folder struct {
	sql     string
	lexemes []sqltext.Lexeme
	open    []bracket
	// unpivot is the number of brackets around the ON of an UNPIVOT statement, plus one.
	unpivot int
}

// text returns lexeme i in lower case, "" for none.
func (f *folder) text(i int) string {
	if i < 0 || i >= len(f.lexemes) {
		return ""
	}
	return strings.ToLower(f.sql[f.lexemes[i].Pos:f.lexemes[i].End])
}

func (f *folder) top() bracket {
	if len(f.open) == 0 {
		return bracketPlain
	}
	return f.open[len(f.open)-1]
}

// enter takes notice of lexeme i.
func (f *folder) enter(i int) {
	switch f.text(i) {
	case "{":
		f.open = append(f.open, bracketStruct)
	case "[":
		f.open = append(f.open, bracketPlain)
	case "(":
		f.open = append(f.open, f.bracketAt(i))
	case ")", "]", "}":
		if f.top() == bracketUnpivot {
			f.unpivot = 0
		}
		f.open = f.open[:max(0, len(f.open)-1)]
		if len(f.open)+1 < f.unpivot {
			f.unpivot = 0
		}
	case "unpivot":
		f.unpivot = len(f.open) + 1
	case "into", ";":
		f.unpivot = 0
	}
}

// bracketAt says what the parenthesis at i holds.
func (f *folder) bracketAt(i int) bracket {
	switch f.text(i + 1) {
	case "(", "select", "with", "from", "values", "table":
		return bracketPlain // A query.
	}
	switch f.text(i - 1) {
	case "struct", "row", "union":
		return bracketFields
	case "unpivot", "nulls":
		if f.unpivot > 0 {
			return bracketUnpivot
		}
	case "in":
		if f.top() == bracketUnpivot {
			return bracketNames
		}
	}
	return bracketPlain
}

// isValue reports whether the word at i is a name that a result shows as a value.
func (f *folder) isValue(i int) bool {
	before, after := f.text(i-1), f.text(i+1)
	switch {
	case after == ":=" || after == "=>" || after == ":" && f.top() == bracketStruct:
		return true
	case f.top() == bracketFields && (before == "(" || before == ","):
		return i+1 < len(f.lexemes) && (f.lexemes[i+1].Kind == sqltext.LexWord || f.lexemes[i+1].Kind == sqltext.LexQuoted)
	case before == "as":
		return f.top() == bracketNames || f.unpivot == len(f.open)+1
	}
	return false
}
