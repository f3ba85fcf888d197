package query

import (
	"strings"
	"unicode/utf8"
)

// lexeme is a piece of SQL text that is not white space or a comment.
type lexeme struct {
	pos, end int
	kind     lexKind
}

type lexKind uint8

const (
	lexOther  lexKind = iota // One byte of an operator or bracket.
	lexWord                  // Keyword, unquoted name or number.
	lexQuoted                // "name"
	lexString                // 'text', E'text', $tag$text$tag$
	lexParam                 // $1, $name, ?
)

// lex splits sql by DuckDB's rules. It only serves to find places in texts that
// DuckDB's parser has taken, so it is generous with what is not SQL.
func lex(sql string) []lexeme {
	var out []lexeme
	for i := 0; i < len(sql); {
		i = skipBlank(sql, i)
		if i == len(sql) {
			break
		}
		end, kind := lexOne(sql, i)
		out = append(out, lexeme{i, end, kind})
		i = end
	}
	return out
}

// skipBlank returns the index of the first byte from i on that is not in white
// space or a comment.
func skipBlank(sql string, i int) int {
	for i < len(sql) {
		switch {
		case strings.IndexByte(" \t\n\r\f\v", sql[i]) >= 0:
			i++
		case strings.HasPrefix(sql[i:], "--"):
			i = skipLine(sql, i)
		case strings.HasPrefix(sql[i:], "/*"):
			i, _ = skipComment(sql, i)
		case strings.HasPrefix(sql[i:], "\u00a0"): // DuckDB takes it for a blank.
			i += len("\u00a0")
		default:
			return i
		}
	}
	return i
}

// skipLine returns the end of the line that i is in.
func skipLine(sql string, i int) int {
	if n := strings.IndexAny(sql[i:], "\n\r"); n >= 0 {
		return i + n
	}
	return len(sql)
}

// skipComment returns the end of the comment at i, and whether it is closed;
// comments nest.
func skipComment(sql string, i int) (end int, closed bool) {
	for depth := 0; i < len(sql); {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i, true
			}
		default:
			i++
		}
	}
	return i, false
}

// lexOne returns the end and kind of the lexeme at i.
func lexOne(sql string, i int) (int, lexKind) {
	switch c := sql[i]; {
	case c == '\'':
		return endOfQuoted(sql, i+1, '\'', false), lexString
	case c == '"':
		return endOfQuoted(sql, i+1, '"', false), lexQuoted
	case (c == 'e' || c == 'E') && i+1 < len(sql) && sql[i+1] == '\'':
		return endOfQuoted(sql, i+2, '\'', true), lexString
	case c == '$':
		return lexDollar(sql, i)
	case c == '?':
		return i + 1, lexParam
	case isWordByte(c):
		for i < len(sql) && (isWordByte(sql[i]) || sql[i] == '$') {
			i++
		}
		return i, lexWord
	}
	return i + 1, lexOther
}

// lexDollar handles $1, $name and $tag$text$tag$.
func lexDollar(sql string, i int) (int, lexKind) {
	j := i + 1
	for j < len(sql) && isWordByte(sql[j]) {
		j++
	}
	digit := i+1 < j && sql[i+1] >= '0' && sql[i+1] <= '9'
	if j < len(sql) && sql[j] == '$' && !digit {
		tag := sql[i : j+1]
		if n := strings.Index(sql[j+1:], tag); n >= 0 {
			return j + 1 + n + len(tag), lexString
		}
		return len(sql), lexString
	}
	return j, lexParam
}

// endOfQuoted returns the end of a quoted text whose first byte is at i.
func endOfQuoted(sql string, i int, quote byte, escapes bool) int {
	for i < len(sql) {
		switch {
		case escapes && sql[i] == '\\':
			i++
		case sql[i] == quote:
			if i+1 < len(sql) && sql[i+1] == quote {
				i++
				break
			}
			return i + 1
		}
		i++
	}
	return len(sql)
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// foldNames returns sql with its names in lower case, unless they are quoted, as
// SQL has it; DuckDB would keep the case of an alias. Keywords and numbers, which
// are words too, mean the same in lower case. Offsets stay.
func foldNames(sql string) string {
	var out []byte
	for _, l := range lex(sql) {
		if l.kind != lexWord {
			continue
		}
		for i := l.pos; i < l.end; i++ {
			if c := sql[i]; c >= 'A' && c <= 'Z' {
				if out == nil {
					out = []byte(sql)
				}
				out[i] = c + 'a' - 'A'
			}
		}
	}
	if out == nil {
		return sql
	}
	return string(out)
}

// nameAt reads the name of one or more parts at pos. ok is false when there is
// none. Parts are folded to lower case unless they are quoted.
func nameAt(sql string, pos int) (parts []string, ok bool) {
	for i := pos; ; {
		i = skipBlank(sql, i)
		if i >= len(sql) {
			return nil, false
		}
		end, kind := lexOne(sql, i)
		text := sql[i:end]
		switch {
		case kind == lexWord:
			parts = append(parts, strings.ToLower(text))
		case kind == lexQuoted && len(text) >= 2:
			parts = append(parts, strings.ReplaceAll(text[1:len(text)-1], `""`, `"`))
		default:
			return nil, false
		}
		i = skipBlank(sql, end)
		if i >= len(sql) || sql[i] != '.' {
			return parts, true
		}
		i++
	}
}

// places translates offsets in one text of a statement to offsets in another
// that differs only in white space, comments and the case of keywords.
type places struct {
	from, to []lexeme
}

func newPlaces(from, to string) *places { return &places{lex(from), lex(to)} }

// of returns where the lexeme that holds offset pos is in the other text, 0 when
// the texts have nothing in common there.
func (p *places) of(pos int) int {
	for i, l := range p.from {
		if pos < l.end && i < len(p.to) {
			return p.to[i].pos + min(max(pos-l.pos, 0), p.to[i].end-p.to[i].pos)
		}
	}
	return 0
}

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
