package dialect

import (
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// statement parses the statement at the current token up to where it ends.
func (p *parser) statement() (ast.Statement, error) {
	if isQueryStart(p.src(), p.tok) {
		return p.query()
	}
	if p.tok.Kind != sqltext.Word {
		return nil, p.unexpected("a statement")
	}
	if st, err := p.view(); st != nil || err != nil {
		return st, err
	}
	switch sqltext.Upper(sqltext.Short(p.text(p.tok))) {
	case "INSERT":
		return p.insert()
	case "UPDATE":
		return p.update()
	case "DELETE":
		return p.delete()
	case "TRUNCATE":
		return p.truncate()
	case "REPLACE":
		return p.replace()
	case "CREATE":
		return p.create()
	case "ALTER":
		return p.alter()
	case "DROP":
		return p.drop()
	case "SHOW":
		return p.show()
	case "DESCRIBE", "DESC":
		return p.describe()
	case "EXPLAIN":
		return p.explain()
	case "USE":
		return p.use()
	case "SET":
		return p.set()
	case "RESET":
		return p.reset()
	case "PREPARE":
		return p.prepare()
	case "DEALLOCATE":
		return p.deallocate()
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT":
		return p.transaction()
	case "EXECUTE":
		return p.execute()
	case "SUBSCRIBE":
		return p.subscribe()
	case "BACKUP":
		return p.backup()
	case "STORAGE":
		return p.storageCommand()
	case "EXPORT":
		return p.export()
	case "KILL":
		return p.kill()
	case "GRANT":
		return p.grant()
	case "REVOKE":
		return p.revoke()
	case "COMMENT":
		return p.comment()
	case "CLEAR":
		if p.accept("CLEAR", "CACHE") {
			return &ast.ClearCache{}, nil
		}
	}
	return nil, p.unknown()
}

// query consumes a query. The text stays as it is but for the spellings that
// DuckDB does not know.
func (p *parser) query() (ast.Statement, error) {
	if p.is("WITH") && p.writesWith() {
		return p.withDML()
	}
	st := &ast.Select{}
	var err error
	if st.SQL, st.Pos, err = p.capture(nil); err != nil {
		return nil, err
	}
	st.Edits = p.edits
	st.Params, err = p.placeholders()
	return st, err
}

// dmlVerbs begin the statements that may follow a WITH list, beside queries.
const dmlVerbs = " INSERT UPDATE DELETE MERGE "

// writesWith reports whether the WITH at the current token stands in front of a
// statement that is not a query.
func (p *parser) writesWith() bool {
	depth, after := 0, false
	for l := p.lex; ; {
		t := l.Next()
		switch {
		case t.Kind == sqltext.EOF || t.Kind == sqltext.Invalid:
			return false
		case t.Kind == sqltext.Punct && t.Ch == '(':
			depth++
		case t.Kind == sqltext.Punct && t.Ch == ')':
			depth--
		case depth == 0 && after && t.Kind == sqltext.Word && sqltext.WordIn(p.text(t), dmlVerbs):
			return true
		}
		after = t.Kind == sqltext.Punct && t.Ch == ')'
	}
}

// withDML parses WITH list and the INSERT, UPDATE or DELETE after it.
func (p *parser) withDML() (st ast.Statement, err error) {
	var with ast.RawSQL
	atVerb := func(p *parser) bool { return p.prev.Kind == sqltext.Punct && p.prev.Ch == ')' && p.isAny(dmlVerbs) }
	if with.SQL, with.Pos, err = p.capture(atVerb); err != nil {
		return nil, err
	}
	switch {
	case p.is("INSERT"):
		st, err = p.insert()
	case p.is("UPDATE"):
		st, err = p.update()
	case p.is("DELETE"):
		st, err = p.delete()
	default:
		return nil, unsupported(p.tok.Pos, "WITH ... %s is not supported", p.words(1))
	}
	switch st := st.(type) {
	case *ast.Insert:
		st.With = with
	case *ast.Update:
		st.With = with
	case *ast.Delete:
		st.With = with
	}
	return st, err
}

// explain parses EXPLAIN [ANALYZE] query.
func (p *parser) explain() (ast.Statement, error) {
	p.advance()
	st := &ast.Explain{Analyze: p.accept("ANALYZE") || p.accept("ANALYSE")}
	if !isQueryStart(p.src(), p.tok) {
		if p.tok.Kind == sqltext.Word {
			return nil, unsupported(p.tok.Pos, "EXPLAIN takes a query, not %s", p.words(1))
		}
		return nil, p.unexpected("a query")
	}
	var err error
	if st.SQL, st.Pos, err = p.capture(nil); err != nil {
		return nil, err
	}
	st.Edits = p.edits
	st.Params, err = p.placeholders()
	return st, err
}

// transaction parses BEGIN, START TRANSACTION, COMMIT and ROLLBACK.
func (p *parser) transaction() (ast.Statement, error) {
	verb := sqltext.Upper(p.text(p.tok))
	if verb == "START" && !p.nextIs("TRANSACTION") {
		return nil, p.unknown()
	}
	p.advance()
	if !p.accept("TRANSACTION") {
		p.accept("WORK")
	}
	switch verb {
	case "COMMIT", "END":
		return &ast.Commit{}, nil
	case "ROLLBACK", "ABORT":
		if p.is("TO") {
			return nil, unsupported(p.tok.Pos, "Savepoints are not supported")
		}
		return &ast.Rollback{}, nil
	}
	return &ast.Begin{}, p.isolation()
}

// isolation consumes the modes of BEGIN that a transaction here fulfils: it
// reads one snapshot, which is at least REPEATABLE READ.
func (p *parser) isolation() error {
	for comma := false; ; comma = p.acceptPunct(',') {
		switch {
		case p.accept("READ", "WRITE"):
		case p.is("READ") && p.nextIs("ONLY"):
			return unsupported(p.tok.Pos, "READ ONLY transactions are not supported")
		case p.accept("ISOLATION", "LEVEL"):
			if p.is("SERIALIZABLE") {
				return unsupported(p.tok.Pos,
					"ISOLATION LEVEL SERIALIZABLE is not supported; a transaction reads one snapshot")
			}
			if !p.accept("READ", "UNCOMMITTED") && !p.accept("READ", "COMMITTED") && !p.accept("REPEATABLE", "READ") {
				return p.unexpected("REPEATABLE READ")
			}
		default:
			if comma {
				return p.unexpected("a transaction mode")
			}
			return nil
		}
	}
}

// executeAs parses EXECUTE AS USER 'u' ( statement ).
func (p *parser) executeAs() (ast.Statement, error) {
	if !p.nextIs("AS") {
		return nil, p.unknown()
	}
	st, err := p.envelope()
	if err != nil {
		var ke *kalam.Error
		if errors.As(err, &ke) && ke.Code == kalam.CodeInvalidSQL {
			moved := *ke
			moved.Code = kalam.CodeInvalidInput
			return nil, &moved
		}
		return nil, err
	}
	return st, nil
}

func (p *parser) envelope() (*ast.ExecuteAs, error) {
	if err := p.expect("EXECUTE", "AS", "USER"); err != nil {
		return nil, err
	}
	pos := p.tok.Pos
	user, err := p.bare("user name")
	if err != nil {
		return nil, err
	}
	if _, err := kalam.ParseUserID(user); err != nil {
		return nil, located(err, pos)
	}
	if !p.isPunct('(') {
		return nil, p.unexpected("'(' and one statement")
	}
	st := &ast.ExecuteAs{User: user, Offset: p.tok.End}
	p.advance()
	first := p.tok
	p.skipBalanced()
	if p.tok.Kind == sqltext.Invalid {
		return nil, p.lexical()
	}
	if !p.isPunct(')') {
		return nil, p.unexpected("')'")
	}
	if p.tok.Pos == first.Pos {
		return nil, syntaxError(first.Pos, "EXECUTE AS USER takes exactly one statement in parentheses")
	}
	st.Offset = first.Pos
	st.Inner = p.lex.Src[first.Pos:p.prev.End]
	p.advance()
	return st, p.end()
}

// Parse returns the statement that text holds; a `;` at its end is allowed. The
// error is a *kalam.Error: CodeInvalidSQL with the position for anything that
// is not a statement of this dialect, CodeEmptySQL for blank text,
// CodeInvalidInput for a malformed EXECUTE AS USER envelope, CodeUnsupported
// for what is understood and not offered. Queries are not checked beyond their
// quotes, brackets and placeholders.
func Parse(text string) (ast.Statement, error) {
	if at := sqltext.InvalidUTF8(text); at >= 0 {
		return nil, syntaxError(at, sqltext.FlawUTF8)
	}
	p := &parser{lex: sqltext.NewLexer(text)}
	p.advance()
	for p.acceptPunct(';') {
	}
	if p.tok.Kind == sqltext.EOF {
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
