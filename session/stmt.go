package session

import (
	"context"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/sqltext"
)

// Prepare reads a statement and finds out what it takes and gives. declared are the types of the first placeholders,
// for whom the statement's text decides too little; KindNull leaves one open.
func (s *Session) Prepare(ctx context.Context, sql string, declared ...kalam.DataType) (*Stmt, error) {
	fragments, err := sqltext.Split(sql)
	if err != nil {
		return nil, err
	}
	if len(fragments) != 1 {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "one statement can be prepared at a time, not %d", len(fragments))
	}
	st, err := dialect.Parse(fragments[0].Text)
	if err != nil {
		return nil, located(err, fragments[0].Offset)
	}
	p := &Stmt{session: s, text: fragments[0].Text, st: st, count: dialect.ParamCount(st), declared: declared}
	if len(declared) > p.count {
		return nil, kalam.Errorf(kalam.CodeParameterMismatch,
			"Parameter mismatch: %d types are declared for %d placeholders", len(declared), p.count)
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	return p, s.typed(ctx, p)
}

// Describe returns the types of the placeholders, $1 first, and the columns of the result. A type of KindNull is
// decided by the values, as are all columns then: fields is nil also for a statement without rows.
func (p *Stmt) Describe() (params []kalam.DataType, fields []read.Field) { return p.params, p.fields }

// Execute runs the statement with the values of its placeholders. The columns of its result are those of Describe,
// whatever the rows hold; when the tables have changed so that they cannot be, it fails.
func (p *Stmt) Execute(ctx context.Context, args []kalam.Value, out Results) error {
	s := p.session
	s.out, s.statement = out, 1
	defer s.endRequest()
	return s.guarded(ctx, p.st, p.text, func(ctx context.Context) error { return p.run(ctx, args) })
}

// run executes the statement inside of one of the session.
func (p *Stmt) run(ctx context.Context, args []kalam.Value) error {
	s := p.session
	if p.epoch != s.Catalog.SchemaEpoch() || p.set != s.settings {
		if err := p.describeAgain(ctx); err != nil {
			return err
		}
	}
	values, err := p.arguments(args)
	if err != nil {
		return err
	}
	params, fixed := s.params, s.fixed
	s.params, s.fixed = values, p.fields
	defer func() { s.params, s.fixed = params, fixed }()
	return s.execute(ctx, p.st)
}

// describeAgain looks whether the statement still gives what it was prepared for.
func (p *Stmt) describeAgain(ctx context.Context) error {
	again := *p
	if err := p.session.typed(ctx, &again); err != nil {
		return kalam.Unpositioned(err)
	}
	if !sameFields(p.fields, again.fields) {
		return kalam.Errorf(kalam.CodeInvalidOperation,
			"the prepared statement would give other columns than when it was prepared: prepare it again")
	}
	*p = again
	return nil
}

// sameFields reports whether two results have the same columns.
func sameFields(a, b []read.Field) bool {
	return slices.EqualFunc(a, b, func(x, y read.Field) bool { return x.Name == y.Name && x.Type == y.Type })
}

// arguments checks the values of the placeholders. A value of a declared type becomes one of it, and so does a number
// that is the same in the type of what it meets; the statement reads the others as it would without being prepared.
func (p *Stmt) arguments(args []kalam.Value) ([]kalam.Value, error) {
	if len(args) != p.count {
		return nil, kalam.Errorf(kalam.CodeParameterMismatch,
			"Parameter mismatch: statement has %d placeholders but %d parameters were given", p.count, len(args))
	}
	out := append([]kalam.Value(nil), args...)
	for i, v := range args {
		if i >= len(p.params) || p.params[i].Kind == kalam.KindNull || v.IsNull() {
			continue
		}
		cast, err := p.session.castTo(p.params[i], v)
		if err != nil {
			return nil, kalam.Wrap(kalam.CodeParameterMismatch, nil, "Parameter $%d: expected %s, got %s (%s)", i+1,
				p.params[i], v.Kind(), kalam.MessageOf(err))
		}
		declared := i < len(p.declared) && p.declared[i].Kind != kalam.KindNull
		if declared || p.params[i].Kind == kalam.KindText {
			out[i] = cast
		} else if same, ok := schema.ExactKey(p.params[i], v); ok {
			out[i] = same
		}
	}
	return out, nil
}

// typed finds out what a statement takes and gives.
func (s *Session) typed(ctx context.Context, p *Stmt) error {
	defer s.EndStatement()
	p.epoch, p.set = s.Catalog.SchemaEpoch(), s.settings
	p.params, p.fields = make([]kalam.DataType, p.count), nil
	copy(p.params, p.declared)
	switch st := p.st.(type) {
	case *ast.Select:
		d, err := s.Describe(ctx, st.SQL, p.declared, read.Options{})
		if err != nil {
			return st.Edits.Place(err, st.Pos)
		}
		p.params, p.fields = d.Params, d.Fields
		return nil
	case *ast.Insert:
		return s.describeInsert(ctx, p, st)
	case *ast.Update:
		t, err := s.Table(st.Table, access.Update)
		if err != nil {
			return err
		}
		if err := p.assigned(t, st.Set); err != nil {
			return err
		}
		p.compared(t, st.KeyEquals)
		return s.describeReturning(ctx, p, t, st.Alias, st.Returning)
	case *ast.Delete:
		t, err := s.Table(st.Table, access.Delete)
		if err != nil {
			return err
		}
		p.compared(t, st.KeyEquals)
		return s.describeReturning(ctx, p, t, st.Alias, st.Returning)
	}
	return nil
}

func (s *Session) describeInsert(ctx context.Context, p *Stmt, st *ast.Insert) error {
	t, err := s.Table(st.Table, access.Insert)
	if err != nil {
		return err
	}
	target, err := schema.InsertColumns(t, st)
	if err != nil {
		return err
	}
	for _, row := range st.Rows {
		for i := range min(len(row), len(target)) {
			p.meets(&row[i], t.Columns[target[i]].Type)
		}
	}
	if st.Conflict != nil {
		if err := p.assigned(t, st.Conflict.Set); err != nil {
			return err
		}
	}
	return s.describeReturning(ctx, p, t, st.Alias, st.Returning)
}

// assigned gives the placeholders of a SET list the types of their columns.
func (p *Stmt) assigned(t *kalam.Table, set []ast.Assign) error {
	for i := range set {
		c := t.ColumnIndex(set[i].Column.Name)
		if c < 0 {
			return schema.UnknownColumn(set[i].Column)
		}
		p.meets(&set[i].Value, t.Columns[c].Type)
	}
	return nil
}

// compared gives the placeholders of a condition on columns the types of these.
func (p *Stmt) compared(t *kalam.Table, terms []ast.ColumnEquals) {
	for i := range terms {
		if c := t.ColumnIndex(terms[i].Column.Name); c >= 0 {
			p.meets(&terms[i].Value, t.Columns[c].Type)
		}
	}
}

// meets gives x, if it is a placeholder of no type yet, a type.
func (p *Stmt) meets(x *ast.Expr, t kalam.DataType) {
	if x.Kind == ast.ExprParam && x.Param <= len(p.params) && p.params[x.Param-1].Kind == kalam.KindNull {
		p.params[x.Param-1] = t
	}
}

// describeReturning finds out the columns of a RETURNING list.
func (s *Session) describeReturning(
	ctx context.Context, p *Stmt, t *kalam.Table, alias string, list []ast.ReturnExpr,
) error {
	if len(list) == 0 {
		return nil
	}
	s.params = make([]kalam.Value, p.count)
	defer func() { s.params = nil }()
	sql, params, err := s.returningQuery(ctx, &answer{table: t, alias: alias, returning: list})
	if err != nil {
		return err
	}
	given := map[string]read.Given{writtenRelation: {Source: &query.Source{Schema: datatype.TableSchema(t)}, Of: t}}
	d, err := s.Describe(ctx, sql, make([]kalam.DataType, len(params)), read.Options{Given: given, Composed: true})
	p.fields = d.Fields
	return err
}

// castTo casts a value to a type; the text of a DATETIME without a zone is of the session's.
func (s *Session) castTo(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	if moment, ok := datatype.InZone(s.Settings.Zone, t, v); ok {
		return moment, nil
	}
	return datatype.Cast(t, v)
}

// castColumn casts a value to that of a column in the same way.
func (s *Session) castColumn(c *kalam.Column, v kalam.Value) (kalam.Value, error) {
	if moment, ok := datatype.InZone(s.Settings.Zone, c.Type, v); ok {
		return moment, nil
	}
	return datatype.CastColumn(c, v)
}
