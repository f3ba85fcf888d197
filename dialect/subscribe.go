package dialect

import (
	"math"
	"strconv"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/dialect/spelling"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// subscribe parses SUBSCRIBE TO {ns.t [WHERE ...] | query} [LAST n] [OPTIONS (...)].
func (p *parser) subscribe() (ast.Statement, error) {
	if !p.nextIs("TO") {
		return nil, p.unknown()
	}
	p.advance()
	p.advance()
	st := &ast.SubscribeTo{Pos: p.tok.Pos}
	if !isQueryStart(p.src(), p.tok) {
		if err := p.subscribedTable(st); err != nil {
			return nil, err
		}
	}
	sql, pos, err := p.capture(endsSubscription)
	if err != nil {
		return nil, err
	}
	if st.Table.Parts == nil {
		st.Query = sql
	} else if err := p.tableQuery(st, pos, sql); err != nil {
		return nil, err
	}
	if st.Options, err = p.subscribeOptions(); err != nil {
		return nil, err
	}
	st.Edits = p.edits
	st.Params, err = p.placeholders()
	return st, err
}

// tableQuery makes the query of the table form. where is the raw SQL of the
// WHERE clause, at pos.
func (p *parser) tableQuery(st *ast.SubscribeTo, pos int, where string) error {
	const prefix = "SELECT * FROM "
	if where == "" {
		pos = p.prev.End // Of the table's name.
	}
	edits, err := spelling.Rewrite(p.lex.Src, st.Pos, pos)
	if err != nil {
		return err
	}
	st.Query = prefix + edits.Apply(p.lex.Src, st.Pos, pos) + where
	insertion := sqltext.Edits{{Start: st.Pos, End: st.Pos, Text: prefix, From: st.Pos}}
	p.edits = append(append(insertion, edits...), p.edits...)
	return nil
}

// subscribedTable consumes the table's name and checks what follows it.
func (p *parser) subscribedTable(st *ast.SubscribeTo) (err error) {
	if st.Table, err = p.tableName(); err != nil {
		return err
	}
	if p.tok.Kind != sqltext.EOF && !p.isPunct(';') && !p.is("WHERE") && !endsSubscription(p) {
		return p.unexpected("WHERE, LAST or OPTIONS")
	}
	return nil
}

// endsSubscription reports whether LAST n or OPTIONS ( is next.
func endsSubscription(p *parser) bool {
	switch {
	case p.is("LAST"):
		return p.peek().Kind == sqltext.Number
	case p.is("OPTIONS"):
		t := p.peek()
		return t.Kind == sqltext.Punct && t.Ch == '('
	}
	return false
}

// subscribeOptions consumes LAST n and OPTIONS ( key = value, ... ); nil if
// there is neither.
func (p *parser) subscribeOptions() (*ast.SubscribeOptions, error) {
	var o *ast.SubscribeOptions
	if p.accept("LAST") {
		n, err := p.count("LAST")
		if err != nil {
			return nil, err
		}
		o = &ast.SubscribeOptions{LastRows: &n}
	}
	if !p.accept("OPTIONS") {
		return o, nil
	}
	if o == nil {
		o = &ast.SubscribeOptions{}
	}
	if err := p.expectPunct('('); err != nil {
		return nil, err
	}
	for !p.isPunct(')') {
		if err := p.subscribeOption(o); err != nil {
			return nil, err
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	return o, p.expectPunct(')')
}

func (p *parser) subscribeOption(o *ast.SubscribeOptions) error {
	pos, key := p.tok.Pos, sqltext.Fold(sqltext.Short(p.text(p.tok)))
	if p.tok.Kind != sqltext.Word {
		return p.unexpected("an option")
	}
	p.advance()
	if err := p.expectAssign(); err != nil {
		return err
	}
	if key == "from" || key == "from_seq_id" {
		n, err := p.integer(key, math.MaxInt64)
		seq := kalam.Seq(n)
		if err == nil && o.From != nil && *o.From != seq {
			return twice(pos, key)
		}
		o.From = &seq
		return err
	}
	var target **int
	switch key {
	case "last_rows":
		target = &o.LastRows
	case "batch_size":
		target = &o.BatchSize
	case "buffer_size":
		target = &o.BufferSize
	default:
		return syntaxError(pos,
			"Unknown subscription option '%s' (expected last_rows, batch_size, buffer_size or from)", key)
	}
	n, err := p.count(key)
	if err == nil && *target != nil && **target != n {
		return twice(pos, key)
	}
	*target = &n
	return err
}

func twice(pos int, key string) error {
	return syntaxError(pos, "Option '%s' is given twice with different values", key)
}

// count consumes an integer from 0 to the largest int32.
func (p *parser) count(what string) (int, error) {
	n, err := p.integer(what, math.MaxInt32)
	return int(n), err
}

// integer consumes an integer from 0 to most, which may be quoted.
func (p *parser) integer(what string, most int64) (int64, error) {
	pos, text := p.tok.Pos, p.text(p.tok)
	switch {
	case p.isString():
		s, err := p.stringText()
		if err != nil {
			return 0, err
		}
		text = s
	case p.tok.Kind == sqltext.Number:
		p.advance()
	default:
		return 0, p.unexpected("a number for " + what)
	}
	n, err := strconv.ParseInt(sqltext.WithoutUnderscores(text), 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, syntaxError(pos, "%s must be an integer from 0 to %d, got '%s'", what, most, sqltext.Short(text))
	}
	return n, nil
}
