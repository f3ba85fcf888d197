package dialect

import (
	"strings"
)

// kind is the kind of a token.
type kind uint8

const (
	tEOF       kind = iota
	tError          // The lexer's flaw says what and where.
	tWord           // Unquoted identifier or keyword.
	tQuoted         // "name"
	tBacktick       // `name`
	tString         // 'text', with its continuations.
	tEscape         // E'text', with its continuations.
	tDollar         // $tag$text$tag$
	tHex            // X'0aff'
	tHexNumber      // 0x0aff
	tNumber         // 12, 1.5, .5, 1e3, 1_000
	tParam          // $1
	tOp             // Operators, one token each for those of pairOps.
	tPunct          // ( ) [ ] { } , ; . :
)

// token is a piece of the source; it holds offsets only.
type token struct {
	kind     kind
	ch       byte // First byte.
	pos, end int
}

// class is what a byte can begin.
type class uint8

// Classes of bytes.
const (
	cOther class = iota
	cSpace
	cWord // Begins a word.
	cDigit
	cQuote
	cDollar
	cPunct
	cOp
	cNUL
)

// classes is a table of constants: the class of each byte.
var classes = classTable()

func classTable() (t [256]class) {
	set := func(chars string, c class) {
		for i := 0; i < len(chars); i++ {
			t[chars[i]] = c
		}
	}
	set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", cWord)
	for i := 0x80; i < 0x100; i++ {
		t[i] = cWord
	}
	set("0123456789", cDigit)
	set(" \t\n\r\f\v", cSpace)
	set("'\"`", cQuote)
	set("$", cDollar)
	set("()[]{},;.:", cPunct)
	set("~!@#^&|?+-*/%<>=", cOp)
	t[0] = cNUL
	return t
}

// classOf returns what c can begin.
func classOf(c byte) class { return classes[c] }

// isWordByte reports whether c can be part of a word.
func isWordByte(c byte) bool { return classes[c] == cWord || classes[c] == cDigit || c == '$' }

// flaw is a lexical error: its place and its text, "" for none.
type flaw struct {
	pos  int
	text string
}

// Texts of lexical errors.
const (
	flawString     = "Unterminated quoted string"
	flawIdentifier = "Unterminated quoted identifier"
	flawDollar     = "Unterminated dollar-quoted string"
	flawComment    = "Unterminated comment"
	flawNUL        = "NUL byte outside a string literal"
	flawUTF8       = "Text is not valid UTF-8"

	flawPlaceholder = "Invalid parameter placeholder" // Followed by the placeholder in quotes.
)

// lexer cuts source into tokens. It is a value: a copy is a look-ahead.
type lexer struct {
	src  string
	pos  int
	flaw flaw
	duck bool // The text is for DuckDB's parser, see Lex.
}

// newLexer returns a lexer of src.
func newLexer(src string) lexer { return lexer{src: src} }

// lexerAt returns a lexer of src that begins at the offset pos, where a token begins.
func lexerAt(src string, pos int) lexer { return lexer{src: src, pos: pos} }

// next returns the next token. After a tError every call returns it again.
func (l *lexer) next() token {
	if l.flaw.text != "" {
		return token{kind: tError, pos: l.flaw.pos, end: l.flaw.pos}
	}
	i, bad := skipBlank(l.src, l.pos)
	if bad != "" {
		return l.fail(i, bad)
	}
	if i >= len(l.src) {
		l.pos = i
		return token{kind: tEOF, pos: i, end: i}
	}
	t := token{ch: l.src[i], pos: i}
	switch classes[t.ch] {
	case cWord:
		return l.word(t)
	case cDigit:
		t.kind, t.end = number(l.src, i)
		if l.duck {
			t.kind, t.end = tNumber, decimal(l.src, i)
		}
	case cQuote:
		if l.duck && t.ch == '`' {
			return l.duckOperator(t)
		}
		return l.quoted(t)
	case cDollar:
		if l.duck {
			return l.duckDollar(t)
		}
		return l.dollar(t)
	case cPunct:
		t.kind, t.end = tPunct, i+1
		if t.ch == '.' && i+1 < len(l.src) && classes[l.src[i+1]] == cDigit {
			t.kind, t.end = number(l.src, i)
		} else if t.ch == ':' && i+1 < len(l.src) && (l.src[i+1] == ':' || l.src[i+1] == '=') {
			t.kind, t.end = tOp, i+2
		}
	case cNUL:
		return l.fail(i, flawNUL)
	default:
		if l.duck {
			return l.duckOperator(t)
		}
		t.kind, t.end = tOp, operator(l.src, i)
	}
	l.pos = t.end
	return t
}

// isDot reports whether t is the dot between the parts of a name.
func isDot(t token) bool { return t.kind == tPunct && t.ch == '.' }

// dotFollows reports whether the next token from i on is a dot.
func dotFollows(s string, i int) bool {
	i, _ = skipBlank(s, i)
	return i < len(s) && s[i] == '.' && (i+1 == len(s) || classes[s[i+1]] != cDigit)
}

func (l *lexer) fail(pos int, text string) token {
	l.flaw = flaw{pos, text}
	return token{kind: tError, pos: pos, end: pos}
}

// word finishes a word, or the literal that a one-letter prefix begins.
func (l *lexer) word(t token) token {
	t.kind, t.end = tWord, wordEnd(l.src, t.pos)
	if t.end == t.pos+1 && t.end < len(l.src) && l.src[t.end] == '\'' {
		switch t.ch {
		case 'e', 'E':
			t.kind = tEscape
		case 'x', 'X':
			t.kind = tHex
		}
		if t.kind != tWord {
			end, ok := stringEnd(l.src, t.end, t.kind == tEscape)
			if !ok {
				return l.fail(t.pos, flawString)
			}
			t.end = end
		}
	}
	l.pos = t.end
	return t
}

func (l *lexer) quoted(t token) token {
	var ok bool
	bad := flawIdentifier
	switch t.ch {
	case '\'':
		t.kind, bad = tString, flawString
		t.end, ok = stringEnd(l.src, t.pos, false)
	case '"':
		t.kind = tQuoted
		t.end, ok = identEnd(l.src, t.pos)
	default:
		t.kind = tBacktick
		t.end, ok = identEnd(l.src, t.pos)
	}
	if !ok {
		return l.fail(t.pos, bad)
	}
	if t.kind != tString {
		if at := strings.IndexByte(l.src[t.pos:t.end], 0); at >= 0 {
			return l.fail(t.pos+at, flawNUL)
		}
	}
	l.pos = t.end
	return t
}

func (l *lexer) dollar(t token) token {
	i := t.pos + 1
	for i < len(l.src) && classes[l.src[i]] == cDigit {
		i++
	}
	if i > t.pos+1 {
		t.kind, t.end = tParam, i
		l.pos = i
		return t
	}
	end, opened := dollarEnd(l.src, t.pos)
	switch {
	case !opened:
		return l.fail(t.pos, flawPlaceholder+" '"+short(l.src[t.pos:placeholderEnd(l.src, t.pos)])+"'")
	case end < 0:
		return l.fail(t.pos, flawDollar)
	}
	t.kind, t.end = tDollar, end
	l.pos = end
	return t
}

// placeholderEnd returns the end of what looks like a placeholder at i: '$',
// an optional sign and word characters.
func placeholderEnd(s string, i int) int {
	i++
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for i < len(s) && (classes[s[i]] == cWord || classes[s[i]] == cDigit) {
		i++
	}
	return i
}

// skipBlank returns the offset of the first byte from i on that is neither
// white space nor comment. bad is the flaw found at that offset, if any.
func skipBlank(s string, i int) (at int, bad string) {
	for i < len(s) {
		switch c := s[i]; {
		case classes[c] == cSpace:
			i++
		case c == '-' && i+1 < len(s) && s[i+1] == '-':
			end := lineEnd(s, i)
			if nul := strings.IndexByte(s[i:end], 0); nul >= 0 {
				return i + nul, flawNUL
			}
			i = end
		case c == '/' && i+1 < len(s) && s[i+1] == '*':
			end, ok := commentEnd(s, i)
			if !ok {
				return i, flawComment
			}
			if nul := strings.IndexByte(s[i:end], 0); nul >= 0 {
				return i + nul, flawNUL
			}
			i = end
		case c >= 0x80:
			w := unicodeSpace(s, i)
			if w == 0 {
				return i, ""
			}
			i += w
		default:
			return i, ""
		}
	}
	return i, ""
}

// lineEnd returns the offset of the end of the line that holds i. Both \n and
// \r end a -- comment.
func lineEnd(s string, i int) int {
	for i < len(s) && s[i] != '\n' && s[i] != '\r' {
		i++
	}
	return i
}

// commentEnd returns the offset after the comment that begins at i. Comments nest.
func commentEnd(s string, i int) (int, bool) {
	depth := 0
	for i+1 < len(s) {
		switch {
		case s[i] == '/' && s[i+1] == '*':
			depth++
			i += 2
		case s[i] == '*' && s[i+1] == '/':
			i += 2
			if depth--; depth == 0 {
				return i, true
			}
		default:
			i++
		}
	}
	return i, false
}

// unicodeSpace returns the length of the space outside ASCII at s[i], 0 if there
// is none. The list is DuckDB's, which reads them as blanks.
func unicodeSpace(s string, i int) int {
	if s[i] == 0xC2 && i+1 < len(s) && s[i+1] == 0xA0 {
		return 2
	}
	if i+2 >= len(s) {
		return 0
	}
	a, b := s[i+1], s[i+2]
	switch s[i] {
	case 0xE2:
		if a == 0x80 && (b >= 0x80 && b <= 0x8B || b == 0xAF) || a == 0x81 && (b == 0x9F || b == 0xA0) {
			return 3
		}
	case 0xE3:
		if a == 0x80 && b == 0x80 {
			return 3
		}
	case 0xEF:
		if a == 0xBB && b == 0xBF {
			return 3
		}
	}
	return 0
}

// wordEnd returns the offset after the word that begins at i.
func wordEnd(s string, i int) int {
	for i < len(s) {
		switch c := s[i]; classes[c] {
		case cWord:
			if c >= 0x80 && unicodeSpace(s, i) > 0 {
				return i
			}
		case cDigit, cDollar:
		default:
			return i
		}
		i++
	}
	return i
}

// number scans the number that begins at i with a digit or '.'.
func number(s string, i int) (kind, int) {
	if s[i] == '0' && i+1 < len(s) && (s[i+1] == 'x' || s[i+1] == 'X') {
		j := i + 2
		for j < len(s) && hexDigit(s[j]) >= 0 {
			j++
		}
		return tHexNumber, j
	}
	return tNumber, decimal(s, i)
}

// decimal returns the end of the decimal number that begins at i.
func decimal(s string, i int) int {
	i = digits(s, i)
	if i < len(s) && s[i] == '.' {
		i = digits(s, i+1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && classes[s[j]] == cDigit {
			i = digits(s, j)
		}
	}
	return i
}

// digits skips digits and single underscores between them.
func digits(s string, i int) int {
	for i < len(s) {
		switch {
		case classes[s[i]] == cDigit:
		case s[i] == '_' && i > 0 && classes[s[i-1]] == cDigit && i+1 < len(s) && classes[s[i+1]] == cDigit:
		default:
			return i
		}
		i++
	}
	return i
}

// stringEnd returns the offset after the string literal whose opening quote is
// at i, including the pieces that continue it: white space or -- comments with
// a newline among them, and a quote. Escape says that a backslash quotes.
func stringEnd(s string, i int, escape bool) (int, bool) {
	for {
		var ok bool
		if i, ok = quoteEnd(s, i+1, escape); !ok {
			return i, false
		}
		next := continuation(s, i)
		if next < 0 {
			return i, true
		}
		i = next
	}
}

// quoteEnd returns the offset after the quote that closes a string whose text
// begins at i.
func quoteEnd(s string, i int, escape bool) (int, bool) {
	for {
		if escape {
			for i < len(s) && s[i] != '\'' {
				if s[i] == '\\' {
					i++
				}
				i++
			}
			if i >= len(s) {
				return len(s), false
			}
		} else {
			j := strings.IndexByte(s[i:], '\'')
			if j < 0 {
				return len(s), false
			}
			i += j
		}
		i++
		if i >= len(s) || s[i] != '\'' {
			return i, true
		}
		i++
	}
}

// continuation returns the offset of the quote that continues the string which
// ended at i, or -1.
func continuation(s string, i int) int {
	newline := false
	for i < len(s) {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			newline = true
			i++
		case classes[c] == cSpace:
			i++
		case c == '-' && i+1 < len(s) && s[i+1] == '-':
			if i = lineEnd(s, i); i == len(s) {
				return -1
			}
		case c == '\'' && newline:
			return i
		case c >= 0x80 && unicodeSpace(s, i) > 0:
			i += unicodeSpace(s, i)
		default:
			return -1
		}
	}
	return -1
}

// identEnd returns the offset after the quoted identifier that begins at i. A
// doubled quote stands for one.
func identEnd(s string, i int) (int, bool) {
	q := s[i]
	for i++; ; {
		j := strings.IndexByte(s[i:], q)
		if j < 0 {
			return len(s), false
		}
		i += j + 1
		if i >= len(s) || s[i] != q {
			return i, true
		}
		i++
	}
}

// dollarEnd returns the offset after the dollar-quoted string at i, -1 if it is
// not closed. opened is false when '$' begins no dollar quote.
func dollarEnd(s string, i int) (end int, opened bool) {
	j := i + 1
	for j < len(s) && (classes[s[j]] == cWord || j > i+1 && classes[s[j]] == cDigit) {
		j++
	}
	if j >= len(s) || s[j] != '$' {
		return i, false
	}
	tag := s[i : j+1]
	at := strings.Index(s[j+1:], tag)
	if at < 0 {
		return -1, true
	}
	return j + 1 + at + len(tag), true
}

// pairOps are the operators of two bytes; any other operator byte is a token
// of its own.
const pairOps = " -> <= >= <> != == || ?| ?& @> <@ => // ** << >> ~~ !~ ~* #> && ^@ "

// operator returns the offset after the operator at i.
func operator(s string, i int) int {
	if classes[s[i]] != cOp || i+1 >= len(s) || classes[s[i+1]] != cOp {
		return i + 1
	}
	if i+2 < len(s) && s[i+2] == '>' && (s[i:i+2] == "->" || s[i:i+2] == "#>") {
		return i + 3
	}
	if i+2 < len(s) && s[i+1] == '/' && s[i+2] == '*' {
		return i + 1 // A comment begins at the second byte.
	}
	if p := strings.Index(pairOps, s[i:i+2]); p > 0 && pairOps[p-1] == ' ' && pairOps[p+2] == ' ' {
		return i + 2
	}
	return i + 1
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
