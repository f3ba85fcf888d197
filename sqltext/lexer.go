package sqltext

import "strings"

// Kind is the kind of a token.
type Kind uint8

// Kinds of tokens.
const (
	EOF       Kind = iota
	Invalid        // Lexer.Flaw says what and where.
	Word           // Unquoted identifier or keyword.
	Quoted         // "name"
	Backtick       // `name`
	String         // 'text', with its continuations.
	Escape         // E'text', with its continuations.
	Dollar         // $tag$text$tag$
	Hex            // X'0aff'
	HexNumber      // 0x0aff
	Number         // 12, 1.5, .5, 1e3, 1_000
	Param          // $1
	Op             // Operators, one token each for those of pairOps.
	Punct          // ( ) [ ] { } , ; . :
)

// Token is a piece of the source; it holds offsets only.
type Token struct {
	Kind     Kind
	Ch       byte // First byte.
	Pos, End int
}

// Class is what a byte can begin.
type Class uint8

// Classes of bytes.
const (
	ClassOther Class = iota
	ClassSpace
	ClassWord // Begins a word.
	ClassDigit
	ClassQuote
	ClassDollar
	ClassPunct
	ClassOp
	ClassNUL
)

// classes is a table of constants: the class of each byte.
var classes = classTable()

func classTable() (t [256]Class) {
	set := func(chars string, c Class) {
		for i := 0; i < len(chars); i++ {
			t[chars[i]] = c
		}
	}
	set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", ClassWord)
	for i := 0x80; i < 0x100; i++ {
		t[i] = ClassWord
	}
	set("0123456789", ClassDigit)
	set(" \t\n\r\f\v", ClassSpace)
	set("'\"`", ClassQuote)
	set("$", ClassDollar)
	set("()[]{},;.:", ClassPunct)
	set("~!@#^&|?+-*/%<>=", ClassOp)
	t[0] = ClassNUL
	return t
}

// ClassOf returns what c can begin.
func ClassOf(c byte) Class { return classes[c] }

// IsWordByte reports whether c can be part of a word.
func IsWordByte(c byte) bool { return classes[c] == ClassWord || classes[c] == ClassDigit || c == '$' }

// Flaw is a lexical error.
type Flaw struct {
	Pos  int
	Text string // "" for none.
}

// Texts of lexical errors.
const (
	flawString     = "Unterminated quoted string"
	flawIdentifier = "Unterminated quoted identifier"
	flawDollar     = "Unterminated dollar-quoted string"
	flawComment    = "Unterminated comment"
	flawNUL        = "NUL byte outside a string literal"

	// FlawUTF8 is that of a text which is no text.
	FlawUTF8 = "Text is not valid UTF-8"

	// FlawPlaceholder is followed by the placeholder in quotes.
	FlawPlaceholder = "Invalid parameter placeholder"
)

// Lexer cuts source into tokens. It is a value: a copy is a look-ahead.
// Fields are read, not set, by others.
type Lexer struct {
	Src  string
	Pos  int  // Where the next token is looked for.
	Flaw Flaw // What made the last token Invalid.
	duck bool // The text is for DuckDB's parser, see Lex.
}

// NewLexer returns a lexer of src.
func NewLexer(src string) Lexer { return Lexer{Src: src} }

// LexerAt returns a lexer of src that begins at the offset pos, where a token begins.
func LexerAt(src string, pos int) Lexer { return Lexer{Src: src, Pos: pos} }

// Next returns the next token. After an Invalid one every call returns it again.
func (l *Lexer) Next() Token {
	if l.Flaw.Text != "" {
		return Token{Kind: Invalid, Pos: l.Flaw.Pos, End: l.Flaw.Pos}
	}
	i, bad := SkipBlank(l.Src, l.Pos)
	if bad != "" {
		return l.fail(i, bad)
	}
	if i >= len(l.Src) {
		l.Pos = i
		return Token{Kind: EOF, Pos: i, End: i}
	}
	t := Token{Ch: l.Src[i], Pos: i}
	switch classes[t.Ch] {
	case ClassWord:
		return l.word(t)
	case ClassDigit:
		t.Kind, t.End = number(l.Src, i)
		if l.duck {
			t.Kind, t.End = Number, decimal(l.Src, i)
		}
	case ClassQuote:
		if l.duck && t.Ch == '`' {
			return l.duckOperator(t)
		}
		return l.quoted(t)
	case ClassDollar:
		if l.duck {
			return l.duckDollar(t)
		}
		return l.dollar(t)
	case ClassPunct:
		t.Kind, t.End = Punct, i+1
		if t.Ch == '.' && i+1 < len(l.Src) && classes[l.Src[i+1]] == ClassDigit {
			t.Kind, t.End = number(l.Src, i)
		} else if t.Ch == ':' && i+1 < len(l.Src) && (l.Src[i+1] == ':' || l.Src[i+1] == '=') {
			t.Kind, t.End = Op, i+2
		}
	case ClassNUL:
		return l.fail(i, flawNUL)
	default:
		if l.duck {
			return l.duckOperator(t)
		}
		t.Kind, t.End = Op, operator(l.Src, i)
	}
	l.Pos = t.End
	return t
}

// IsDot reports whether t is the dot between the parts of a name.
func IsDot(t Token) bool { return t.Kind == Punct && t.Ch == '.' }

// DotFollows reports whether the next token from i on is a dot.
func DotFollows(s string, i int) bool {
	i, _ = SkipBlank(s, i)
	return i < len(s) && s[i] == '.' && (i+1 == len(s) || classes[s[i+1]] != ClassDigit)
}

func (l *Lexer) fail(pos int, text string) Token {
	l.Flaw = Flaw{pos, text}
	return Token{Kind: Invalid, Pos: pos, End: pos}
}

// word finishes a word, or the literal that a one-letter prefix begins.
func (l *Lexer) word(t Token) Token {
	t.Kind, t.End = Word, wordEnd(l.Src, t.Pos)
	if t.End == t.Pos+1 && t.End < len(l.Src) && l.Src[t.End] == '\'' {
		switch t.Ch {
		case 'e', 'E':
			t.Kind = Escape
		case 'x', 'X':
			t.Kind = Hex
		}
		if t.Kind != Word {
			end, ok := stringEnd(l.Src, t.End, t.Kind == Escape)
			if !ok {
				return l.fail(t.Pos, flawString)
			}
			t.End = end
		}
	}
	l.Pos = t.End
	return t
}

func (l *Lexer) quoted(t Token) Token {
	var ok bool
	bad := flawIdentifier
	switch t.Ch {
	case '\'':
		t.Kind, bad = String, flawString
		t.End, ok = stringEnd(l.Src, t.Pos, false)
	case '"':
		t.Kind = Quoted
		t.End, ok = identEnd(l.Src, t.Pos)
	default:
		t.Kind = Backtick
		t.End, ok = identEnd(l.Src, t.Pos)
	}
	if !ok {
		return l.fail(t.Pos, bad)
	}
	if t.Kind != String {
		if at := strings.IndexByte(l.Src[t.Pos:t.End], 0); at >= 0 {
			return l.fail(t.Pos+at, flawNUL)
		}
	}
	l.Pos = t.End
	return t
}

func (l *Lexer) dollar(t Token) Token {
	i := t.Pos + 1
	for i < len(l.Src) && classes[l.Src[i]] == ClassDigit {
		i++
	}
	if i > t.Pos+1 {
		t.Kind, t.End = Param, i
		l.Pos = i
		return t
	}
	end, opened := dollarEnd(l.Src, t.Pos)
	switch {
	case !opened:
		return l.fail(t.Pos, FlawPlaceholder+" '"+Short(l.Src[t.Pos:placeholderEnd(l.Src, t.Pos)])+"'")
	case end < 0:
		return l.fail(t.Pos, flawDollar)
	}
	t.Kind, t.End = Dollar, end
	l.Pos = end
	return t
}

// placeholderEnd returns the end of what looks like a placeholder at i: '$',
// an optional sign and word characters.
func placeholderEnd(s string, i int) int {
	i++
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for i < len(s) && (classes[s[i]] == ClassWord || classes[s[i]] == ClassDigit) {
		i++
	}
	return i
}

// SkipBlank returns the offset of the first byte from i on that is neither
// white space nor comment. bad is the flaw found at that offset, if any.
func SkipBlank(s string, i int) (at int, bad string) {
	for i < len(s) {
		switch c := s[i]; {
		case classes[c] == ClassSpace:
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
		case ClassWord:
			if c >= 0x80 && unicodeSpace(s, i) > 0 {
				return i
			}
		case ClassDigit, ClassDollar:
		default:
			return i
		}
		i++
	}
	return i
}

// number scans the number that begins at i with a digit or '.'.
func number(s string, i int) (Kind, int) {
	if s[i] == '0' && i+1 < len(s) && (s[i+1] == 'x' || s[i+1] == 'X') {
		j := i + 2
		for j < len(s) && hexDigit(s[j]) >= 0 {
			j++
		}
		return HexNumber, j
	}
	return Number, decimal(s, i)
}

// decimal returns the end of the decimal number that begins at i.
func decimal(s string, i int) int {
	i = Digits(s, i)
	if i < len(s) && s[i] == '.' {
		i = Digits(s, i+1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && classes[s[j]] == ClassDigit {
			i = Digits(s, j)
		}
	}
	return i
}

// Digits skips digits and single underscores between them.
func Digits(s string, i int) int {
	for i < len(s) {
		switch {
		case classes[s[i]] == ClassDigit:
		case s[i] == '_' && i > 0 && classes[s[i-1]] == ClassDigit && i+1 < len(s) && classes[s[i+1]] == ClassDigit:
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
		case classes[c] == ClassSpace:
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
	for j < len(s) && (classes[s[j]] == ClassWord || j > i+1 && classes[s[j]] == ClassDigit) {
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
	if classes[s[i]] != ClassOp || i+1 >= len(s) || classes[s[i+1]] != ClassOp {
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
