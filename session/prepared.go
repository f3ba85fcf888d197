package session

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/placeholders"
	"github.com/kalamlake/kalam/session/settings"
	"github.com/kalamlake/kalam/systables"
)

// maxPrepared bounds the statements that PREPARE keeps in a session.
const maxPrepared = 256

// prepare runs PREPARE.
func (s *Session) prepare(ctx context.Context, st *ast.Prepare) error {
	name := st.Name.Name
	if _, taken := s.prepared[name]; taken {
		return kalam.Errorf(kalam.CodeAlreadyExists, "prepared statement '%s' already exists", name).At(st.Name.Pos)
	}
	if len(s.prepared) >= maxPrepared {
		return kalam.Errorf(kalam.CodeTooLarge,
			"a session keeps %d prepared statements at most: DEALLOCATE those that are not needed", maxPrepared)
	}
	inner, err := dialect.Parse(st.Inner)
	if err != nil {
		return located(err, st.Offset)
	}
	switch inner.(type) {
	case *ast.Select, *ast.Insert, *ast.Update, *ast.Delete:
	default:
		return kalam.Errorf(kalam.CodeUnsupported,
			"PREPARE takes a query, INSERT, UPDATE or DELETE, not %s", inner.Verb()).At(st.Offset)
	}
	p, err := s.Prepare(ctx, st.Inner, st.Types...)
	if err != nil {
		return located(err, st.Offset)
	}
	if s.prepared == nil {
		s.prepared = map[string]*Stmt{}
	}
	s.prepared[name] = p
	return s.message(0, fmt.Sprintf("Statement '%s' prepared", name))
}

// named returns a prepared statement.
func (s *Session) named(id ast.Ident) (*Stmt, error) {
	p, ok := s.prepared[id.Name]
	if !ok {
		return nil, kalam.Errorf(kalam.CodeNotFound, "prepared statement '%s' does not exist%s", id.Name,
			settings.Meant(id.Name, slices.Collect(maps.Keys(s.prepared)))).At(id.Pos)
	}
	return p, nil
}

// executePrepared runs EXECUTE.
func (s *Session) executePrepared(ctx context.Context, st *ast.Execute) error {
	p, err := s.named(st.Name)
	if err != nil {
		return err
	}
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	if len(st.Args) != p.count {
		return kalam.Errorf(kalam.CodeParameterMismatch,
			"Parameter mismatch: prepared statement '%s' has %d placeholders but EXECUTE gives %d values", st.Name.Name,
			p.count, len(st.Args)).At(st.Name.Pos)
	}
	args := make([]kalam.Value, len(st.Args))
	for i := range st.Args {
		if args[i], err = s.argument(ctx, &st.Args[i]); err != nil {
			return err
		}
	}
	return kalam.Unpositioned(p.run(ctx, args)) // Places in its text are none in this one.
}

// argument evaluates a value of EXECUTE.
func (s *Session) argument(ctx context.Context, x *ast.Expr) (kalam.Value, error) {
	switch x.Kind {
	case ast.ExprNull:
		return kalam.Null(), nil
	case ast.ExprDefault:
		return kalam.Value{}, kalam.Errorf(kalam.CodeInvalidSQL, "DEFAULT is no value for EXECUTE").At(x.Pos)
	default:
	}
	if v, ok := s.operandOf(x); ok {
		return v, nil
	}
	text := x.Text
	if x.Kind == ast.ExprFunc {
		text += "()"
	}
	if err := s.Query.CheckExpr(ctx, s.Principal.User, text); err != nil {
		return kalam.Value{}, kalam.Positioned(kalam.Unpositioned(err), x.Pos)
	}
	params := placeholders.New(s.params)
	vals, err := s.OneRow(ctx, "SELECT ("+params.Rewrite(text)+")", params.Values(), nil)
	if err != nil {
		return kalam.Value{}, kalam.Positioned(err, x.Pos)
	}
	return vals[0], nil
}

// deallocate runs DEALLOCATE.
func (s *Session) deallocate(st *ast.Deallocate) error {
	if st.All {
		n := len(s.prepared)
		clear(s.prepared)
		return s.message(int64(n), fmt.Sprintf("%d prepared statement(s) deallocated", n))
	}
	if _, err := s.named(st.Name); err != nil {
		return err
	}
	delete(s.prepared, st.Name.Name)
	return s.message(0, fmt.Sprintf("Statement '%s' deallocated", st.Name.Name))
}

// describePrepared runs DESCRIBE PREPARED: the placeholders, then the columns of the result.
func (s *Session) describePrepared(st *ast.DescribePrepared) error {
	p, err := s.named(st.Name)
	if err != nil {
		return err
	}
	var rows [][]kalam.Value
	row := func(kind string, position int, name string, t kalam.DataType) {
		text := kalam.Null()
		if t.Kind != kalam.KindNull {
			text = kalam.Text(t.String())
		}
		rows = append(rows, []kalam.Value{kalam.Text(kind), systables.Int(position), kalam.Text(name), text})
	}
	params, fields := p.Describe()
	for i, t := range params {
		row("parameter", i+1, fmt.Sprintf("$%d", i+1), t)
	}
	for i, f := range fields {
		row("column", i+1, f.Name, f.Type)
	}
	return s.listing(systables.Columns(`kind TEXT, position INT, name TEXT, data_type TEXT?`), rows, "")
}
