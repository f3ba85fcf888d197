package dialect

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// zoneSetting is the name of the setting that SET TIME ZONE means.
const zoneSetting = "timezone"

// set parses SET [SESSION] name {= | TO} {value {, value} | DEFAULT} and SET [SESSION] TIME ZONE value.
func (p *parser) set() (ast.Statement, error) {
	if p.nextIs("NAMESPACE") {
		return p.use()
	}
	if t := p.peek(); t.Kind != sqltext.Word && t.Kind != sqltext.Quoted {
		return nil, p.unknown()
	}
	p.advance()
	if p.is("LOCAL") && !p.peekAssigns() {
		return nil, unsupported(p.tok.Pos, "SET LOCAL is not supported; SET in a transaction ends with its ROLLBACK")
	}
	if p.is("SESSION") && !p.peekAssigns() {
		p.advance()
	}
	st := &ast.SetSetting{}
	var err error
	if st.Name, err = p.settingName(); err != nil {
		return nil, err
	}
	if st.Name.Name != zoneSetting || p.isOp("=") || p.is("TO") {
		if !p.acceptOp("=") && !p.accept("TO") {
			return nil, p.unexpected("'=' or TO")
		}
	}
	st.ValuePos = p.tok.Pos
	if p.accept("DEFAULT") || st.Name.Name == zoneSetting && p.accept("LOCAL") {
		return st, nil
	}
	for {
		value, err := p.settingValue()
		if err != nil {
			return nil, err
		}
		st.Values = append(st.Values, value)
		if !p.acceptPunct(',') {
			return st, nil
		}
	}
}

// peekAssigns reports whether the token after the current one is = or TO.
func (p *parser) peekAssigns() bool {
	t := p.peek()
	return t.Kind == sqltext.Op && p.text(t) == "=" || p.nextIs("TO")
}

// settingName consumes the name of a setting; TIME ZONE is one.
func (p *parser) settingName() (ast.Ident, error) {
	id := ast.Ident{Name: zoneSetting, Pos: p.tok.Pos}
	if p.accept("TIME", "ZONE") {
		return id, nil
	}
	id, err := p.anyIdent("setting name")
	return id, err
}

// settingValue consumes one value: a string, a word or a number.
func (p *parser) settingValue() (string, error) {
	x, ok, err := p.settingLiteral()
	if err != nil || ok {
		return x, err
	}
	return "", p.unexpected("a value")
}

func (p *parser) settingLiteral() (value string, ok bool, err error) {
	sign := ""
	if p.isOp("-") || p.isOp("+") {
		sign = strings.TrimPrefix(p.text(p.tok), "+")
		p.advance()
		if p.tok.Kind != sqltext.Number {
			return "", false, nil
		}
	}
	text := p.text(p.tok)
	switch {
	case p.isString():
		value, err = p.stringText()
		return value, err == nil, err
	case p.tok.Kind == sqltext.Quoted || p.tok.Kind == sqltext.Backtick:
		text = sqltext.UnquoteIdent(text)
	case p.tok.Kind == sqltext.Number:
		text = sign + plainNumber(text)
	case p.tok.Kind != sqltext.Word:
		return "", false, nil
	}
	p.advance()
	return text, true, nil
}

// showSetting parses SHOW ALL, SHOW TIME ZONE and SHOW name.
func (p *parser) showSetting() (ast.Statement, error) {
	if p.accept("SHOW", "ALL") {
		return &ast.ShowSetting{All: true}, nil
	}
	l, t := p.lex, p.peek()
	l.Next()
	zone := p.nextIs("TIME")
	if next := l.Next(); !zone && next.Kind != sqltext.EOF && !(next.Kind == sqltext.Punct && next.Ch == ';') ||
		t.Kind != sqltext.Word && t.Kind != sqltext.Quoted {
		return nil, p.unknown()
	}
	p.advance()
	id, err := p.settingName()
	return &ast.ShowSetting{Name: id}, err
}

// reset parses RESET {ALL | TIME ZONE | name}.
func (p *parser) reset() (ast.Statement, error) {
	p.advance()
	if p.accept("ALL") {
		return &ast.ResetSetting{All: true}, nil
	}
	id, err := p.settingName()
	return &ast.ResetSetting{Name: id}, err
}

// prepare parses PREPARE name [(type, ...)] AS statement. The statement is left as text: it is read when it is
// prepared.
func (p *parser) prepare() (ast.Statement, error) {
	p.advance()
	st := &ast.Prepare{}
	var err error
	if st.Name, err = p.statementName(); err != nil {
		return nil, err
	}
	if p.acceptPunct('(') {
		if st.Types, err = p.typeList(); err != nil {
			return nil, err
		}
	}
	if err := p.expect("AS"); err != nil {
		return nil, err
	}
	st.Offset = p.tok.Pos
	for p.tok.Kind != sqltext.EOF && !p.isPunct(';') {
		if p.tok.Kind == sqltext.Invalid {
			return nil, p.lexical()
		}
		p.advance()
	}
	if p.prev.End <= st.Offset {
		return nil, p.unexpected("a statement")
	}
	st.Inner = p.lex.Src[st.Offset:p.prev.End]
	return st, nil
}

// typeList consumes type {, type} ).
func (p *parser) typeList() (types []kalam.DataType, err error) {
	for {
		t, _, err := p.dataType("")
		if err != nil {
			return nil, err
		}
		types = append(types, t)
		if !p.acceptPunct(',') {
			return types, p.expectPunct(')')
		}
	}
}

// statementName consumes the name of a prepared statement.
func (p *parser) statementName() (ast.Ident, error) { return p.stored("statement name") }

// execute parses EXECUTE name [(value, ...)] and EXECUTE AS USER.
func (p *parser) execute() (ast.Statement, error) {
	if t := p.peek(); p.nextIs("AS") || t.Kind == sqltext.EOF {
		return p.executeAs()
	}
	p.advance()
	st := &ast.Execute{}
	var err error
	if st.Name, err = p.statementName(); err != nil {
		return nil, err
	}
	if !p.acceptPunct('(') {
		return st, nil
	}
	for !p.isPunct(')') || len(st.Args) > 0 {
		x, err := p.expr(atComma)
		if err != nil {
			return nil, err
		}
		st.Args = append(st.Args, x)
		if !p.acceptPunct(',') {
			break
		}
	}
	if err := p.expectPunct(')'); err != nil {
		return nil, err
	}
	st.Params, err = p.placeholders()
	return st, err
}

func atComma(p *parser) bool { return p.isPunct(',') }

// deallocate parses DEALLOCATE [PREPARE] {name | ALL}.
func (p *parser) deallocate() (ast.Statement, error) {
	p.advance()
	if p.is("PREPARE") && p.peek().Kind != sqltext.EOF && p.peek().Ch != ';' {
		p.advance()
	}
	if p.accept("ALL") {
		return &ast.Deallocate{All: true}, nil
	}
	id, err := p.statementName()
	return &ast.Deallocate{Name: id}, err
}

// use parses USE [NAMESPACE] ns and SET NAMESPACE [=|TO] ns.
func (p *parser) use() (ast.Statement, error) {
	set := p.is("SET")
	p.advance()
	if p.is("NAMESPACE") {
		// USE namespace alone would name one called so, which cannot be: it is
		// only taken for the name at the end of the statement.
		if next := p.peek(); set || next.Kind != sqltext.EOF && next.Kind != sqltext.Punct {
			p.advance()
		}
	}
	if set && !p.acceptOp("=") {
		p.accept("TO")
	}
	id, err := p.namespaceName()
	return &ast.Use{Namespace: id}, err
}
