package dialect

import (
	"errors"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/dialect/spelling"
	"github.com/kalamlake/kalam/sqltext"
)

// twoWords are the verbs whose second word says what the statement is.
const twoWords = " CREATE ALTER DROP SHOW SET STORAGE KILL CLEAR EXECUTE START FLUSH SUBSCRIBE BACKUP RESTORE " +
	"EXPORT CLUSTER "

// ParamCount returns the highest placeholder number of a statement, 0 if it has
// none. Placeholders have no gaps.
func ParamCount(st ast.Statement) int {
	switch st := st.(type) {
	case *ast.Select:
		return st.Params
	case *ast.Insert:
		return st.Params
	case *ast.Update:
		return st.Params
	case *ast.Delete:
		return st.Params
	case *ast.Explain:
		return st.Params
	case *ast.CreateTable:
		return st.Params
	case *ast.SubscribeTo:
		return st.Params
	case *ast.Execute:
		return st.Params
	}
	return 0
}

// parser reads one statement with one token of look-ahead. No method recurses.
type parser struct {
	lex     sqltext.Lexer
	tok     sqltext.Token // The current token.
	prev    sqltext.Token // The token before it.
	edits   sqltext.Edits
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

func (p *parser) src() string { return p.lex.Src }

func (p *parser) advance() { p.prev, p.tok = p.tok, p.lex.Next() }

// peek returns the token after the current one.
func (p *parser) peek() sqltext.Token {
	l := p.lex
	return l.Next()
}

func (p *parser) text(t sqltext.Token) string { return p.lex.Src[t.Pos:t.End] }

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
	switch p.tok.Kind {
	case sqltext.Invalid:
		return p.lexical()
	case sqltext.EOF:
		return syntaxError(p.tok.Pos, "Syntax error at end of statement: expected %s", want)
	}
	if p.secrecy == secretAll || p.secrecy == secretQuoted && p.tok.Kind != sqltext.Word {
		return syntaxError(p.tok.Pos, "Syntax error: expected %s", want)
	}
	return syntaxError(p.tok.Pos, "Syntax error at or near '%s': expected %s", sqltext.Short(p.text(p.tok)), want)
}

// unexpectedWord is unexpected where a reserved word may be meant as a name.
func (p *parser) unexpectedWord(want string) error {
	word := p.text(p.tok)
	if p.secrecy != secretNothing {
		return p.unexpected(want)
	}
	return syntaxError(p.tok.Pos, "Syntax error at or near '%s': expected %s; as a name it needs quotes: \"%s\"",
		word, want, sqltext.Fold(word))
}

func (p *parser) lexical() error {
	f := p.lex.Flaw
	if p.secrecy != secretNothing && strings.HasPrefix(f.Text, sqltext.FlawPlaceholder) {
		f.Text = sqltext.FlawPlaceholder // The rest repeats the source.
	}
	return syntaxError(f.Pos, "%s", f.Text)
}

// is reports whether the current token is the unquoted word w (upper case), and
// no part of a dotted name.
func (p *parser) is(w string) bool {
	return p.tok.Kind == sqltext.Word && sqltext.IsWord(p.text(p.tok), w) && !p.dotted()
}

// isAny is is for a list of words, each with blanks around.
func (p *parser) isAny(list string) bool {
	return p.tok.Kind == sqltext.Word && sqltext.WordIn(p.text(p.tok), list) && !p.dotted()
}

// dotted reports whether the current token, a word, stands next to a dot: then it
// is a name, whatever word it is.
func (p *parser) dotted() bool {
	return sqltext.IsDot(p.prev) || sqltext.DotFollows(p.lex.Src, p.tok.End)
}

func (p *parser) isPunct(ch byte) bool { return p.tok.Kind == sqltext.Punct && p.tok.Ch == ch }

func (p *parser) isOp(op string) bool { return p.tok.Kind == sqltext.Op && p.text(p.tok) == op }

func (p *parser) isString() bool {
	return p.tok.Kind == sqltext.String || p.tok.Kind == sqltext.Escape || p.tok.Kind == sqltext.Dollar
}

// nextIs reports whether the token after the current one is the word w.
func (p *parser) nextIs(w string) bool {
	t := p.peek()
	return t.Kind == sqltext.Word && sqltext.IsWord(p.text(t), w)
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
	if p.tok.Kind != sqltext.EOF {
		return p.unexpected("end of statement")
	}
	return nil
}

// maxName bounds identifiers, so that no longer one reaches a message or index.
const maxName = kalam.MaxIdentifier

// ident consumes an identifier; what names it in messages. A reserved word is one
// next to a dot only.
func (p *parser) ident(what string) (ast.Ident, error) {
	id := ast.Ident{Pos: p.tok.Pos}
	text := p.text(p.tok)
	switch p.tok.Kind {
	case sqltext.Word:
		if sqltext.IsReserved(text) && !sqltext.WordIn(text, spelling.SoftWords) && !p.dotted() {
			return id, p.unexpectedWord(what)
		}
		id.Name = text
	case sqltext.Quoted, sqltext.Backtick:
		id.Name, id.Quoted = sqltext.UnquoteIdent(text), true
	default:
		return id, p.unexpected(what)
	}
	if len(id.Name) > maxName {
		return id, syntaxError(id.Pos, "%s '%s' is %d bytes long (maximum %d)", what,
			sqltext.Short(id.Name), len(id.Name), maxName)
	}
	if id.Name == "" {
		return id, syntaxError(id.Pos, "%s is empty", what)
	}
	if !id.Quoted {
		id.Name = sqltext.Fold(id.Name)
	}
	p.advance()
	return id, nil
}

// stored consumes the identifier of something that is kept under its name, which is in
// lower case however it is written.
func (p *parser) stored(what string) (ast.Ident, error) {
	id, err := p.ident(what)
	id.Name = sqltext.Fold(id.Name)
	return id, err
}

// tableName consumes a table name of one to three parts.
func (p *parser) tableName() (ast.Name, error) {
	n := ast.Name{Pos: p.tok.Pos}
	id, err := p.stored("table name")
	if err != nil {
		return n, err
	}
	n.Parts = append(make([]string, 0, 2), id.Name)
	for p.isPunct('.') {
		if len(n.Parts) == 3 {
			return n, syntaxError(p.tok.Pos, "table name has more than three parts")
		}
		p.advance()
		if id, err = p.stored("table name"); err != nil {
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
	s, bad := p.lex.Text(p.tok)
	if bad != "" {
		return "", syntaxError(p.tok.Pos, "Syntax error: %s", bad)
	}
	p.advance()
	return s, nil
}

// bare consumes a name that may be quoted in any way or stand bare up to the
// next blank or bracket, like FL-0123456789ab; case is kept.
func (p *parser) bare(what string) (string, error) {
	pos := p.tok.Pos
	s, err := p.bareText(what)
	if err == nil && len(s) > maxBare {
		return "", syntaxError(pos, "%s '%s' is %d bytes long (maximum %d)", what, sqltext.Short(s), len(s), maxBare)
	}
	return s, err
}

// maxBare bounds ids of users, jobs and subscriptions.
const maxBare = 512

func (p *parser) bareText(what string) (string, error) {
	switch p.tok.Kind {
	case sqltext.String, sqltext.Escape, sqltext.Dollar:
		return p.stringText()
	case sqltext.Quoted, sqltext.Backtick:
		s := sqltext.UnquoteIdent(p.text(p.tok))
		p.advance()
		return s, nil
	case sqltext.Word, sqltext.Number, sqltext.HexNumber:
	default:
		return "", p.unexpected(what)
	}
	start := p.tok.Pos
	end := p.tok.End
	for p.advance(); p.tok.Pos == end && !p.endsBare(); p.advance() {
		end = p.tok.End
	}
	return p.lex.Src[start:end], nil
}

func (p *parser) endsBare() bool {
	switch p.tok.Kind {
	case sqltext.Word, sqltext.Number, sqltext.HexNumber:
		return false
	case sqltext.Punct:
		return p.tok.Ch != '.' && p.tok.Ch != ':'
	case sqltext.Op:
		return p.tok.Ch == '=' || p.tok.End > p.tok.Pos+1
	}
	return true
}

// param notes the placeholder t and returns its number.
func (p *parser) param(t sqltext.Token) (int, error) {
	n, ok := sqltext.ParamNumber(p.text(t))
	if !ok {
		return 0, placeholderError(t.Pos, p.text(t))
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
	return syntaxError(pos, sqltext.FlawPlaceholder+" '%s'", sqltext.Short(text))
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
	for l := sqltext.NewLexer(p.lex.Src); ; {
		t := l.Next()
		if t.Kind == sqltext.EOF || t.Kind == sqltext.Invalid {
			return placeholderError(0, "$?")
		}
		if m, _ := sqltext.ParamNumber(p.text(t)); t.Kind == sqltext.Param && m == n {
			return placeholderError(t.Pos, p.text(t))
		}
	}
}

// words returns the first n words from the current token on, for a message.
func (p *parser) words(n int) string {
	l, t := p.lex, p.tok
	var out []string
	for ; n > 0 && t.Kind == sqltext.Word; n-- {
		out = append(out, sqltext.Upper(sqltext.Short(p.text(t))))
		t = l.Next()
	}
	return strings.Join(out, " ")
}

// looseIdent consumes an identifier that may also be quoted like a string,
// which then counts as not quoted.
func (p *parser) looseIdent(what string) (ast.Ident, error) {
	if !p.isString() {
		return p.ident(what)
	}
	id := ast.Ident{Pos: p.tok.Pos}
	s, err := p.stringText()
	if err != nil {
		return id, err
	}
	if s == "" || len(s) > maxName {
		return id, syntaxError(id.Pos, "%s '%s' must be 1 to %d bytes long", what, sqltext.Short(s), maxName)
	}
	id.Name = sqltext.Fold(s)
	return id, nil
}

// unknown says that the statement at the current token is none of ours.
func (p *parser) unknown() error {
	n := 1
	if p.isAny(twoWords) {
		n = 2
	}
	if p.is("CREATE") && p.nextIs("OR") {
		n = 4
	}
	words := p.words(n)
	return kalam.Errorf(kalam.CodeInvalidSQL, "Unsupported statement type: %s", words).
		Lacks(kalam.MissingWord, words).At(p.tok.Pos)
}

// skipBalanced consumes tokens up to the parenthesis that closes the one before
// the current token.
func (p *parser) skipBalanced() {
	depth := 0
	for p.tok.Kind != sqltext.EOF && p.tok.Kind != sqltext.Invalid {
		switch {
		case p.isPunct('('):
			depth++
		case p.isPunct(')'):
			if depth == 0 {
				return
			}
			depth--
		}
		p.advance()
	}
}
