package dialect

import (
	"encoding/json"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// serverFunc is a function that an Expr of kind ExprFunc or a DEFAULT can be.
type serverFunc struct {
	name string
	bare bool // May stand without parentheses.
	fill kalam.DefaultFunc
}

// serverFuncs is a table of constants.
var serverFuncs = [...]serverFunc{
	{"NOW", false, kalam.DefaultNow},
	{"CURRENT_TIMESTAMP", true, kalam.DefaultNow},
	{"SNOWFLAKE_ID", false, kalam.DefaultSnowflakeID},
	{"UUID_V7", false, kalam.DefaultUUIDV7},
	{"ULID", false, kalam.DefaultULID},
	{"CURRENT_USER", true, kalam.DefaultCurrentUser},
	{"CURRENT_USER_ID", false, kalam.DefaultCurrentUser},
}

// expr consumes one expression, up to a token outside brackets at which stop
// reports true or a closing bracket. What is not a literal, a placeholder or a
// function of the server becomes ExprOther.
func (p *parser) expr(stop func(p *parser) bool) (ast.Expr, error) {
	start, tok, prev := p.lex, p.tok, p.prev
	x, ok, err := p.simple()
	if err != nil {
		return x, err
	}
	if ok && (p.tok.Kind == sqltext.EOF || p.isPunct(';') || p.isPunct(')') || stop(p)) {
		return x, nil
	}
	p.lex, p.tok, p.prev = start, tok, prev
	sql, pos, err := p.capture(stop)
	if err == nil && sql == "" {
		err = p.unexpected("a value")
	}
	return ast.Expr{Kind: ast.ExprOther, Text: sql, Pos: pos}, err
}

// simple consumes a literal, a placeholder or a function of the server. ok is
// false, and nothing is said about the parser's place, if there is none.
func (p *parser) simple() (x ast.Expr, ok bool, err error) {
	x.Pos = p.tok.Pos
	switch p.tok.Kind {
	case sqltext.Invalid:
		return x, false, p.lexical()
	case sqltext.String, sqltext.Escape, sqltext.Dollar:
		x.Kind = ast.ExprString
		x.Text, err = p.stringText()
		return x, err == nil, err
	case sqltext.Hex, sqltext.HexNumber:
		value, bad := sqltext.HexText(p.text(p.tok))
		if bad != "" {
			return x, false, syntaxError(p.tok.Pos, "Syntax error: %s", bad)
		}
		x.Kind, x.Text = ast.ExprBytes, value
	case sqltext.Number:
		x.Kind, x.Text = ast.ExprNumber, plainNumber(p.text(p.tok))
	case sqltext.Param:
		x.Kind = ast.ExprParam
		if x.Param, err = p.param(p.tok); err != nil {
			return x, false, err
		}
	case sqltext.Op:
		return p.signed(x)
	case sqltext.Word:
		return p.wordExpr(x)
	default:
		return x, false, nil
	}
	p.advance()
	return x, true, nil
}

// signed consumes a sign and a number.
func (p *parser) signed(x ast.Expr) (ast.Expr, bool, error) {
	sign := p.tok
	if sign.End != sign.Pos+1 || sign.Ch != '-' && sign.Ch != '+' {
		return x, false, nil
	}
	p.advance()
	if p.tok.Kind != sqltext.Number {
		return x, false, nil
	}
	x.Kind, x.Text = ast.ExprNumber, plainNumber(p.text(p.tok))
	if sign.Ch == '-' {
		if p.tok.Pos == sign.End && len(x.Text) == p.tok.End-p.tok.Pos {
			x.Text = p.lex.Src[sign.Pos:p.tok.End]
		} else {
			x.Text = "-" + x.Text
		}
	}
	p.advance()
	return x, true, nil
}

// plainNumber returns a number without underscores, with digits on both sides
// of its point.
func plainNumber(s string) string {
	if strings.IndexByte(s, '_') >= 0 {
		s = strings.ReplaceAll(s, "_", "")
	}
	if s[0] == '.' {
		s = "0" + s
	}
	if i := strings.IndexByte(s, '.'); i >= 0 && (i+1 == len(s) || sqltext.ClassOf(s[i+1]) != sqltext.ClassDigit) {
		s = s[:i] + s[i+1:]
	}
	return s
}

// wordExpr consumes NULL, TRUE, FALSE, DEFAULT or a function of the server.
func (p *parser) wordExpr(x ast.Expr) (ast.Expr, bool, error) {
	word := p.text(p.tok)
	switch {
	case sqltext.IsWord(word, "NULL"):
		x.Kind = ast.ExprNull
	case sqltext.IsWord(word, "TRUE"), sqltext.IsWord(word, "FALSE"):
		x.Kind, x.Bool = ast.ExprBool, len(word) == 4
	case sqltext.IsWord(word, "DEFAULT"):
		x.Kind = ast.ExprDefault
	default:
		f, ok := p.serverFunc()
		x.Kind, x.Text = ast.ExprFunc, f.name
		return x, ok, nil
	}
	p.advance()
	return x, true, nil
}

// serverFunc consumes the call of a function of the server.
func (p *parser) serverFunc() (serverFunc, bool) {
	for _, f := range serverFuncs {
		if !p.is(f.name) {
			continue
		}
		p.advance()
		if !p.acceptPunct('(') {
			return f, f.bare
		}
		return f, p.acceptPunct(')')
	}
	return serverFunc{}, false
}

// quick is the path of VALUES lists: it reads the literal at offset i without
// tokens. next is the offset of the ',' or ')' after it; ok is false when the
// value is none of the plain forms or anything else follows it, and nothing has
// happened then.
func (p *parser) quick(x *ast.Expr, i int) (next int, ok bool) {
	s := p.lex.Src
	if i >= len(s) {
		return i, false
	}
	x.Pos = i
	switch c := s[i]; sqltext.ClassOf(c) {
	case sqltext.ClassQuote:
		if c != '\'' {
			return i, false
		}
		n := strings.IndexByte(s[i+1:], '\'')
		if n < 0 {
			return i, false
		}
		x.Kind, x.Text = ast.ExprString, s[i+1:i+1+n]
		next = i + n + 2
		if next < len(s) && s[next] == '\'' {
			return i, false
		}
	case sqltext.ClassDigit:
		if next = quickNumber(s, i); next < 0 {
			return i, false
		}
		x.Kind, x.Text = ast.ExprNumber, s[i:next]
	case sqltext.ClassOp:
		if c != '-' || i+1 >= len(s) || sqltext.ClassOf(s[i+1]) != sqltext.ClassDigit {
			return i, false
		}
		if next = quickNumber(s, i+1); next < 0 {
			return i, false
		}
		x.Kind, x.Text = ast.ExprNumber, s[i:next]
	case sqltext.ClassWord:
		if next = quickWord(x, s, i); next < 0 {
			return i, false
		}
	default:
		return i, false
	}
	for next < len(s) && sqltext.ClassOf(s[next]) == sqltext.ClassSpace {
		next++
	}
	return next, next < len(s) && (s[next] == ',' || s[next] == ')')
}

// quickNumber returns the end of the decimal number at i, -1 for other forms.
func quickNumber(s string, i int) int {
	for i < len(s) && sqltext.ClassOf(s[i]) == sqltext.ClassDigit {
		i++
	}
	if i < len(s) && s[i] == '.' {
		point := i
		for i++; i < len(s) && sqltext.ClassOf(s[i]) == sqltext.ClassDigit; i++ {
		}
		if i == point+1 {
			return -1
		}
	}
	if i < len(s) && (sqltext.ClassOf(s[i]) == sqltext.ClassWord ||
		sqltext.ClassOf(s[i]) == sqltext.ClassDollar || s[i] == '.') {
		return -1 // An exponent, 0x, underscores: the lexer knows them.
	}
	return i
}

// quickWord reads NULL, TRUE, FALSE or DEFAULT.
func quickWord(x *ast.Expr, s string, i int) int {
	end := i
	for end < len(s) && end < i+8 && (sqltext.ClassOf(s[end]) == sqltext.ClassWord ||
		sqltext.ClassOf(s[end]) == sqltext.ClassDigit || s[end] == '$') {
		end++
	}
	switch word := s[i:end]; {
	case sqltext.IsWord(word, "NULL"):
		x.Kind = ast.ExprNull
	case sqltext.IsWord(word, "TRUE"):
		x.Kind, x.Bool = ast.ExprBool, true
	case sqltext.IsWord(word, "FALSE"):
		x.Kind, x.Bool = ast.ExprBool, false
	case sqltext.IsWord(word, "DEFAULT"):
		x.Kind = ast.ExprDefault
	default:
		return -1
	}
	return end
}

// jsonObject consumes a string that holds a JSON object.
func (p *parser) jsonObject(what string) (string, error) {
	p.secrecy = secretAll
	pos := p.tok.Pos
	if !p.isString() {
		return "", p.unexpected("a quoted JSON object after " + what)
	}
	s, err := p.stringText()
	if err != nil {
		return "", err
	}
	if !json.Valid([]byte(s)) || !strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "{") {
		return "", syntaxError(pos, "%s must be a JSON object in quotes", what)
	}
	return strings.Clone(s), nil
}

// endsItem reports whether a value of a list ends before the current token.
func endsItem(p *parser) bool { return p.isPunct(',') || atClause(p) }

// columnList consumes ( name {, name} ).
func (p *parser) columnList() ([]ast.Ident, error) {
	if err := p.expectPunct('('); err != nil {
		return nil, err
	}
	var out []ast.Ident
	for {
		id, err := p.stored("column name")
		if err != nil {
			return nil, err
		}
		out = append(out, id)
		if !p.acceptPunct(',') {
			return out, p.expectPunct(')')
		}
	}
}
