package dialect

import (
	"errors"
	"strings"

	"github.com/kalamlake/kalam"
)

// Parse returns the statement that text holds; a `;` at its end is allowed. The
// error is a *kalam.Error: CodeInvalidSQL with the position for anything that
// is not a statement of this dialect, CodeEmptySQL for blank text,
// CodeInvalidInput for a malformed EXECUTE AS USER envelope, CodeUnsupported
// for what is understood and not offered. Queries are not checked beyond their
// quotes, brackets and placeholders.
func Parse(text string) (Statement, error) {
	if at := invalidUTF8(text); at >= 0 {
		return nil, syntaxError(at, flawUTF8)
	}
	p := &parser{lex: newLexer(text)}
	p.advance()
	for p.acceptPunct(';') {
	}
	if p.tok.kind == tEOF {
		return nil, kalam.Errorf(kalam.CodeEmptySQL, "No SQL statements provided")
	}
	st, err := p.statement()
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	return st, nil
}

// ParamCount returns the highest placeholder number of a statement, 0 if it has
// none. Placeholders have no gaps.
func ParamCount(st Statement) int {
	switch st := st.(type) {
	case *Select:
		return st.Params
	case *Insert:
		return st.Params
	case *Update:
		return st.Params
	case *Delete:
		return st.Params
	case *Explain:
		return st.Params
	case *CreateTable:
		return st.Params
	case *SubscribeTo:
		return st.Params
	}
	return 0
}

// parser reads one statement with one token of look-ahead. No method recurses.
type parser struct {
	lex     lexer
	tok     token // The current token.
	prev    token // The token before it.
	edits   Edits
	params  []uint64 // Bit n-1 for each $n seen.
	highest int
	closers []byte  // Brackets to be closed, of capture.
	secrecy secrecy // What messages may show of the statement.
}

// secrecy says which tokens a message may repeat.
type secrecy uint8

const (
	secretNothing secrecy = iota // Any token.
	secretQuoted                 // Words only: a literal may be a misplaced password.
	secretAll                    // None: a password has been read, and the token may be the rest of it.
)

func (p *parser) src() string { return p.lex.src }

func (p *parser) advance() { p.prev, p.tok = p.tok, p.lex.next() }

// peek returns the token after the current one.
func (p *parser) peek() token {
	l := p.lex
	return l.next()
}

func (p *parser) text(t token) string { return p.lex.src[t.pos:t.end] }

// syntaxError returns a CodeInvalidSQL error at a 0-based offset.
func syntaxError(pos int, format string, args ...any) error {
	return kalam.Errorf(kalam.CodeInvalidSQL, format, args...).At(pos)
}

// unsupported returns a CodeUnsupported error at a 0-based offset.
func unsupported(pos int, format string, args ...any) error {
	return kalam.Errorf(kalam.CodeUnsupported, format, args...).At(pos)
}

// located returns an error of a check that knows no position, with one.
func located(err error, pos int) error {
	var ke *kalam.Error
	if !errors.As(err, &ke) {
		return err
	}
	at := *ke
	return at.At(pos)
}

// unexpected says that the current token is not what the grammar wants.
func (p *parser) unexpected(want string) error {
	switch p.tok.kind {
	case tError:
		return p.lexical()
	case tEOF:
		return syntaxError(p.tok.pos, "Syntax error at end of statement: expected %s", want)
	}
	if p.secrecy == secretAll || p.secrecy == secretQuoted && p.tok.kind != tWord {
		return syntaxError(p.tok.pos, "Syntax error: expected %s", want)
	}
	return syntaxError(p.tok.pos, "Syntax error at or near '%s': expected %s", short(p.text(p.tok)), want)
}

// unexpectedWord is unexpected where a reserved word may be meant as a name.
func (p *parser) unexpectedWord(want string) error {
	word := p.text(p.tok)
	if p.secrecy != secretNothing {
		return p.unexpected(want)
	}
	return syntaxError(p.tok.pos, "Syntax error at or near '%s': expected %s; as a name it needs quotes: \"%s\"", word, want, fold(word))
}

func (p *parser) lexical() error {
	f := p.lex.flaw
	if p.secrecy != secretNothing && strings.HasPrefix(f.text, flawPlaceholder) {
		f.text = flawPlaceholder // The rest repeats the source.
	}
	return syntaxError(f.pos, "%s", f.text)
}

// is reports whether the current token is the unquoted word w (upper case), and
// no part of a dotted name.
func (p *parser) is(w string) bool {
	return p.tok.kind == tWord && isWord(p.text(p.tok), w) && !p.dotted()
}

// isAny is is for a list of words, each with blanks around.
func (p *parser) isAny(list string) bool {
	return p.tok.kind == tWord && wordIn(p.text(p.tok), list) && !p.dotted()
}

// dotted reports whether the current token, a word, stands next to a dot: then it
// is a name, whatever word it is.
func (p *parser) dotted() bool { return isDot(p.prev) || dotFollows(p.lex.src, p.tok.end) }

func (p *parser) isPunct(ch byte) bool { return p.tok.kind == tPunct && p.tok.ch == ch }

func (p *parser) isOp(op string) bool { return p.tok.kind == tOp && p.text(p.tok) == op }

func (p *parser) isString() bool {
	return p.tok.kind == tString || p.tok.kind == tEscape || p.tok.kind == tDollar
}

// nextIs reports whether the token after the current one is the word w.
func (p *parser) nextIs(w string) bool {
	t := p.peek()
	return t.kind == tWord && isWord(p.text(t), w)
}

// accept consumes the words, or nothing if they do not all follow.
func (p *parser) accept(words ...string) bool {
	lex, tok, prev := p.lex, p.tok, p.prev
	for _, w := range words {
		if !p.is(w) {
			p.lex, p.tok, p.prev = lex, tok, prev
			return false
		}
		p.advance()
	}
	return true
}

func (p *parser) acceptPunct(ch byte) bool {
	if !p.isPunct(ch) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) acceptOp(op string) bool {
	if !p.isOp(op) {
		return false
	}
	p.advance()
	return true
}

// expect consumes the words or fails.
func (p *parser) expect(words ...string) error {
	for _, w := range words {
		if !p.accept(w) {
			return p.unexpected(w)
		}
	}
	return nil
}

func (p *parser) expectPunct(ch byte) error {
	if !p.acceptPunct(ch) {
		return p.unexpected("'" + string(rune(ch)) + "'")
	}
	return nil
}

// end accepts `;` and the end of the text, and finishes the statement.
func (p *parser) end() error {
	for p.acceptPunct(';') {
	}
	if p.tok.kind != tEOF {
		return p.unexpected("end of statement")
	}
	return nil
}

// maxName bounds identifiers, so that no longer one reaches a message or index.
const maxName = kalam.MaxIdentifier

// ident consumes an identifier; what names it in messages. A reserved word is one
// next to a dot only.
func (p *parser) ident(what string) (Ident, error) {
	id := Ident{Pos: p.tok.pos}
	text := p.text(p.tok)
	switch p.tok.kind {
	case tWord:
		if IsReserved(text) && !wordIn(text, softWords) && !p.dotted() {
			return id, p.unexpectedWord(what)
		}
		id.Name = text
	case tQuoted, tBacktick:
		id.Name, id.Quoted = unquoteIdent(text), true
	default:
		return id, p.unexpected(what)
	}
	if len(id.Name) > maxName {
		return id, syntaxError(id.Pos, "%s '%s' is %d bytes long (maximum %d)", what, short(id.Name), len(id.Name), maxName)
	}
	if id.Name == "" {
		return id, syntaxError(id.Pos, "%s is empty", what)
	}
	if !id.Quoted {
		id.Name = fold(id.Name)
	}
	p.advance()
	return id, nil
}

// stored consumes the identifier of something that is kept under its name, which is in
// lower case however it is written.
func (p *parser) stored(what string) (Ident, error) {
	id, err := p.ident(what)
	id.Name = fold(id.Name)
	return id, err
}

// name consumes a table name of one to three parts.
func (p *parser) name(what string) (Name, error) {
	n := Name{Pos: p.tok.pos}
	id, err := p.stored(what)
	if err != nil {
		return n, err
	}
	n.Parts = append(make([]string, 0, 2), id.Name)
	for p.isPunct('.') {
		if len(n.Parts) == 3 {
			return n, syntaxError(p.tok.pos, "%s has more than three parts", what)
		}
		p.advance()
		if id, err = p.stored(what); err != nil {
			return n, err
		}
		n.Parts = append(n.Parts, id.Name)
	}
	return n, nil
}

// str consumes a string literal; what names it in messages.
func (p *parser) str(what string) (string, error) {
	if !p.isString() {
		return "", p.unexpected("a quoted " + what)
	}
	return p.stringText()
}

// stringText consumes the current token, which is a string.
func (p *parser) stringText() (string, error) {
	s, bad := p.lex.text(p.tok)
	if bad != "" {
		return "", syntaxError(p.tok.pos, "Syntax error: %s", bad)
	}
	p.advance()
	return s, nil
}

// bare consumes a name that may be quoted in any way or stand bare up to the
// next blank or bracket, like FL-0123456789ab; case is kept.
func (p *parser) bare(what string) (string, error) {
	pos := p.tok.pos
	s, err := p.bareText(what)
	if err == nil && len(s) > maxBare {
		return "", syntaxError(pos, "%s '%s' is %d bytes long (maximum %d)", what, short(s), len(s), maxBare)
	}
	return s, err
}

// maxBare bounds ids of users, jobs and subscriptions.
const maxBare = 512

func (p *parser) bareText(what string) (string, error) {
	switch p.tok.kind {
	case tString, tEscape, tDollar:
		return p.stringText()
	case tQuoted, tBacktick:
		s := unquoteIdent(p.text(p.tok))
		p.advance()
		return s, nil
	case tWord, tNumber, tHexNumber:
	default:
		return "", p.unexpected(what)
	}
	start := p.tok.pos
	end := p.tok.end
	for p.advance(); p.tok.pos == end && !p.endsBare(); p.advance() {
		end = p.tok.end
	}
	return p.lex.src[start:end], nil
}

func (p *parser) endsBare() bool {
	switch p.tok.kind {
	case tWord, tNumber, tHexNumber:
		return false
	case tPunct:
		return p.tok.ch != '.' && p.tok.ch != ':'
	case tOp:
		return p.tok.ch == '=' || p.tok.end > p.tok.pos+1
	}
	return true
}

// param notes the placeholder t and returns its number.
func (p *parser) param(t token) (int, error) {
	n, ok := paramNumber(p.text(t))
	if !ok {
		return 0, placeholderError(t.pos, p.text(t))
	}
	p.note(n)
	return n, nil
}

func (p *parser) note(n int) {
	word := (n - 1) / 64
	for word >= len(p.params) {
		p.params = append(p.params, 0)
	}
	p.params[word] |= 1 << ((n - 1) % 64)
	p.highest = max(p.highest, n)
}

func placeholderError(pos int, text string) error {
	return syntaxError(pos, flawPlaceholder+" '%s'", short(text))
}

// placeholders checks that the placeholders are $1..$n without a gap, and
// returns n.
func (p *parser) placeholders() (int, error) {
	used := func(n int) bool { return p.params[(n-1)/64]&(1<<((n-1)%64)) != 0 }
	gap := 0
	for n := 1; n <= p.highest; n++ {
		if !used(n) {
			gap = n
		} else if gap > 0 {
			return 0, p.gapError(n)
		}
	}
	return p.highest, nil
}

// gapError names placeholder $n, the first beyond a gap.
func (p *parser) gapError(n int) error {
	for l := newLexer(p.lex.src); ; {
		t := l.next()
		if t.kind == tEOF || t.kind == tError {
			return placeholderError(0, "$?")
		}
		if m, _ := paramNumber(p.text(t)); t.kind == tParam && m == n {
			return placeholderError(t.pos, p.text(t))
		}
	}
}

// words returns the first n words from the current token on, for a message.
func (p *parser) words(n int) string {
	l, t := p.lex, p.tok
	var out []string
	for ; n > 0 && t.kind == tWord; n-- {
		out = append(out, upper(short(p.text(t))))
		t = l.next()
	}
	return strings.Join(out, " ")
}
