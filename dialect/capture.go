package dialect

import "github.com/kalamlake/kalam"

// maxDepth is how deep brackets may nest. DuckDB's own limit is near it.
const maxDepth = 1000

// capture consumes raw SQL up to the first token outside brackets at which stop
// reports true, a `;`, a closing bracket that it did not open, or the end. It
// returns the SQL, rewritten for DuckDB, and its place in the source; blank
// when there is none. The SQL is balanced in its brackets.
func (p *parser) capture(stop func(p *parser) bool) (sql string, pos int, err error) {
	var w watch
	start, end := p.tok.pos, p.tok.pos
	p.closers = p.closers[:0]
	for {
		if len(p.closers) == 0 && (p.isPunct(';') || stop != nil && stop(p)) {
			break
		}
		if p.tok.kind == tEOF {
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
		w.see(p.lex.src, p.tok)
		end = p.tok.end
		p.advance()
	}
	if !w.needed {
		return p.lex.src[start:end], start, nil
	}
	edits, err := rewrite(p.lex.src, start, end)
	if err != nil {
		return "", start, err
	}
	p.edits = append(p.edits, edits...)
	return edits.apply(p.lex.src, start, end), start, nil
}

// bracket follows the brackets and placeholders of raw SQL. closed says that
// the token closes a bracket which the raw SQL did not open.
func (p *parser) bracket() (closed bool, err error) {
	switch p.tok.kind {
	case tError:
		return false, p.lexical()
	case tParam:
		_, err = p.param(p.tok)
		return false, err
	case tPunct:
	default:
		return false, nil
	}
	switch p.tok.ch {
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
		if p.closers[n-1] != p.tok.ch {
			return false, p.unexpected("'" + string(rune(p.closers[n-1])) + "'")
		}
		p.closers = p.closers[:n-1]
	case ';':
		return false, p.unexpected("'" + string(rune(p.closers[len(p.closers)-1])) + "'")
	}
	if len(p.closers) > maxDepth {
		return false, kalam.Errorf(kalam.CodeInvalidSQL, "Brackets are nested more than %d levels deep", maxDepth).At(p.tok.pos)
	}
	return false, nil
}

// clauseWords cannot stand in an expression outside brackets: they would begin a
// clause of the query that the raw SQL is put into.
const clauseWords = " GROUP HAVING ORDER LIMIT OFFSET FETCH UNION INTERSECT EXCEPT WINDOW QUALIFY SELECT FROM WHERE INTO USING "

// atClause reports whether the current token begins a clause, which ends the
// expression before it.
func atClause(p *parser) bool {
	switch {
	case p.tok.kind != tWord:
		return false
	case p.is("FROM"):
		return !p.prevIs("DISTINCT") // IS DISTINCT FROM
	case p.is("GROUP"):
		return !p.prevIs("WITHIN") // WITHIN GROUP (ORDER BY ...)
	}
	return p.isAny(clauseWords)
}

func (p *parser) prevIs(w string) bool { return p.prev.kind == tWord && isWord(p.text(p.prev), w) }

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
