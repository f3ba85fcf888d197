package shell

import (
	"strings"
	"unicode/utf8"
)

// tokenKind is the kind of a token.
type tokenKind uint8

const (
	tokenWord tokenKind = iota + 1
	tokenQuoted
	tokenString
	tokenNumber
	tokenPunct
)

// token is a word of a statement that may not be finished.
type token struct {
	kind       tokenKind
	text       string
	start, end int
}

func (t token) isWord() bool { return t.kind == tokenWord }

// isName reports whether t may be a name.
func (t token) isName() bool { return t.kind == tokenWord || t.kind == tokenQuoted }

// is reports whether t is a word, given in upper case.
func (t token) is(word string) bool { return t.kind == tokenWord && strings.EqualFold(t.text, word) }

// name returns the name that t stands for.
func (t token) name() string {
	if t.kind == tokenQuoted {
		return strings.ReplaceAll(strings.Trim(t.text, `"`), `""`, `"`)
	}
	return strings.ToLower(t.text)
}

// endsOperand reports whether an expression may end with t, so that no name can
// follow.
func (t token) endsOperand() bool {
	switch t.kind {
	case tokenPunct:
		return t.text == ")" || t.text == "*" || t.text == "]"
	case tokenWord:
		return !isKeyword(t.text) || t.is("NULL") || t.is("TRUE") || t.is("FALSE") || t.is("END")
	}
	return true
}

// scan cuts a text into tokens. It takes what does not end as ending with the
// text; inside says that byte at is in a string or a comment.
func scan(text string, at int) (tokens []token, inside bool) {
	for i := 0; i < len(text); {
		start := i
		kind := tokenPunct
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case strings.HasPrefix(text[i:], "--"):
			i = until(text, i+2, "\n")
			inside = inside || at > start && (at < i || text[i-1] != '\n')
			continue
		case strings.HasPrefix(text[i:], "/*"):
			i = until(text, i+2, "*/")
			closed := i >= start+4 && text[i-2:i] == "*/"
			inside = inside || at > start && (at < i || !closed)
			continue
		case c == '\'':
			i, kind = closing(text, i), tokenString
			closed := i > start+1 && text[i-1] == '\''
			inside = inside || at > start && (at < i || !closed)
		case c == '"':
			i, kind = closing(text, i), tokenQuoted
		case c >= '0' && c <= '9':
			for i < len(text) && (isWordByte(text[i]) || text[i] == '.') {
				i++
			}
			kind = tokenNumber
		case isWordByte(c):
			for i < len(text) && isWordByte(text[i]) {
				i++
			}
			kind = tokenWord
		default:
			_, n := utf8.DecodeRuneInString(text[i:])
			i += n
		}
		tokens = append(tokens, token{kind, text[start:i], start, i})
	}
	return tokens, inside
}

// until returns the offset after the next end from i on, the end of text if there
// is none.
func until(text string, i int, end string) int {
	if i > len(text) {
		return len(text)
	}
	if n := strings.Index(text[i:], end); n >= 0 {
		return i + n + len(end)
	}
	return len(text)
}

// closing returns the offset after the quoted text at i.
func closing(text string, i int) int {
	q := text[i]
	for i++; i < len(text); i++ {
		if text[i] != q {
			continue
		}
		if i+1 < len(text) && text[i+1] == q {
			i++
			continue
		}
		return i + 1
	}
	return len(text)
}

// clauseWords begin a part of a statement.
var clauseWords = wordSet(`SELECT FROM JOIN WHERE ON USING GROUP ORDER HAVING QUALIFY LIMIT OFFSET SET VALUES INTO
UPDATE RETURNING TABLE WINDOW`)

// tableClauses are those behind which a table stands.
var tableClauses = wordSet("FROM JOIN INTO UPDATE TABLE DESCRIBE DESC TO STATS")

func isTableClause(word string) bool { return tableClauses[word] }

// clauseOf returns the word that begins the last clause of tokens, and whether a
// bracket was opened since.
func clauseOf(tokens []token) (clause string, paren bool) {
	depth := 0
	for i := len(tokens) - 1; i >= 0; i-- {
		t := tokens[i]
		switch {
		case t.kind == tokenPunct && t.text == ")":
			depth++
		case t.kind == tokenPunct && t.text == "(":
			depth--
			paren = paren || depth < 0
		case depth <= 0 && t.isWord() && clauseWords[strings.ToUpper(t.text)]:
			return strings.ToUpper(t.text), paren
		}
	}
	return "", paren
}

// optionWords returns the options that may stand in the bracket in which tokens
// end, nil if it is no bracket of options.
func optionWords(tokens []token) []string {
	depth := 0
	for i := len(tokens) - 1; i > 0; i-- {
		if tokens[i].kind != tokenPunct {
			continue
		}
		switch tokens[i].text {
		case ")":
			depth++
		case "(":
			if depth--; depth >= 0 {
				continue
			}
			last := tokens[len(tokens)-1]
			isName := last.text == "(" || last.text == ","
			switch {
			case tokens[i-1].is("WITH") && tokens[0].is("CREATE") && isName:
				return tableOptions
			case tokens[i-1].is("OPTIONS") && isName:
				return subscribeOptions
			}
			return nil
		}
	}
	return nil
}

// wordSet is the set of the words of a list, in upper case.
func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}
