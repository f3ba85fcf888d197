package dialect

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/spelling"
	"github.com/kalamlake/kalam/sqltext"
)

// maxDepth is how deep brackets may nest. DuckDB's own limit is near it.
const maxDepth = 1000

// capture consumes raw SQL up to the first token outside brackets at which stop
// reports true, a `;`, a closing bracket that it did not open, or the end. It
// returns the SQL, rewritten for DuckDB, and its place in the source; blank
// when there is none. The SQL is balanced in its brackets.
func (p *parser) capture(stop func(p *parser) bool) (sql string, pos int, err error) {
	var w spelling.Watch
	start, end := p.tok.Pos, p.tok.Pos
	p.closers = p.closers[:0]
	for {
		if len(p.closers) == 0 && (p.isPunct(';') || stop != nil && stop(p)) {
			break
		}
		if p.tok.Kind == sqltext.EOF {
			if len(p.closers) > 0 {
				return "", start, p.unexpected("'" + string(rune(p.closers[len(p.closers)-1])) + "'")
			}
			break
		}
		closed, err := p.bracket()
		if err != nil {
			return "", start, err
		}
		if closed {
			break
		}
		w.See(p.lex.Src, p.tok)
		end = p.tok.End
		p.advance()
	}
	if !w.Needed {
		return p.lex.Src[start:end], start, nil
	}
	edits, err := spelling.Rewrite(p.lex.Src, start, end)
	if err != nil {
		return "", start, err
	}
	p.edits = append(p.edits, edits...)
	return edits.Apply(p.lex.Src, start, end), start, nil
}

// bracket follows the brackets and placeholders of raw SQL. closed says that
// the token closes a bracket which the raw SQL did not open.
func (p *parser) bracket() (closed bool, err error) {
	switch p.tok.Kind {
	case sqltext.Invalid:
		return false, p.lexical()
	case sqltext.Param:
		_, err = p.param(p.tok)
		return false, err
	case sqltext.Punct:
	default:
		return false, nil
	}
	switch p.tok.Ch {
	case '(':
		p.closers = append(p.closers, ')')
	case '[':
		p.closers = append(p.closers, ']')
	case '{':
		p.closers = append(p.closers, '}')
	case ')', ']', '}':
		n := len(p.closers)
		if n == 0 {
			return true, nil
		}
		if p.closers[n-1] != p.tok.Ch {
			return false, p.unexpected("'" + string(rune(p.closers[n-1])) + "'")
		}
		p.closers = p.closers[:n-1]
	case ';':
		return false, p.unexpected("'" + string(rune(p.closers[len(p.closers)-1])) + "'")
	}
	if len(p.closers) > maxDepth {
		return false, kalam.Errorf(kalam.CodeInvalidSQL, "Brackets are nested more than %d levels deep",
			maxDepth).At(p.tok.Pos)
	}
	return false, nil
}

// clauseWords cannot stand in an expression outside brackets: they would begin a
// clause of the query that the raw SQL is put into.
const clauseWords = " GROUP HAVING ORDER LIMIT OFFSET FETCH UNION INTERSECT EXCEPT WINDOW QUALIFY SELECT FROM " +
	"WHERE INTO USING "

// atClause reports whether the current token begins a clause, which ends the
// expression before it.
func atClause(p *parser) bool {
	switch {
	case p.tok.Kind != sqltext.Word:
		return false
	case p.is("FROM"):
		return !p.prevIs("DISTINCT") // IS DISTINCT FROM
	case p.is("GROUP"):
		return !p.prevIs("WITHIN") // WITHIN GROUP (ORDER BY ...)
	}
	return p.isAny(clauseWords)
}

func (p *parser) prevIs(w string) bool {
	return p.prev.Kind == sqltext.Word && sqltext.IsWord(p.text(p.prev), w)
}

// condition consumes the expression of a WHERE clause: up to RETURNING or the
// end. No other clause may follow it.
func (p *parser) condition(clause string) (sql string, pos int, err error) {
	sql, pos, err = p.capture(func(p *parser) bool { return p.is("RETURNING") || atClause(p) || p.isPunct(',') })
	switch {
	case err != nil:
		return "", pos, err
	case sql == "":
		return "", pos, p.unexpected("a condition after " + clause)
	case atClause(p):
		return "", pos, p.unexpected("RETURNING or end of statement after the " + clause + " clause")
	}
	return sql, pos, nil
}
