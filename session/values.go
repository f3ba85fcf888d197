package session

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/placeholders"
	"github.com/kalamlake/kalam/sqltext"
)

// evaluate turns an expression of a VALUES list or SET into a value of column
// c. simple is false when only DuckDB can evaluate it.
func (s *Session) evaluate(ctx context.Context, x *ast.Expr, c *kalam.Column) (v kalam.Value, simple bool, err error) {
	switch x.Kind {
	case ast.ExprNull:
		return kalam.Null(), true, nil
	case ast.ExprString:
		if s.Settings.Zone != nil {
			if moment, ok := datatype.InZone(s.Settings.Zone, c.Type, kalam.Text(x.Text)); ok {
				return moment, true, nil
			}
		}
		v, err = datatype.FromText(c.Type, x.Text)
	case ast.ExprNumber:
		v, err = datatype.FromNumber(c.Type, x.Text)
	case ast.ExprBool:
		v, err = datatype.FromBool(c.Type, x.Bool)
	case ast.ExprBytes:
		v, err = datatype.Cast(c.Type, kalam.Bytes(x.Text))
	case ast.ExprParam:
		v, err = s.param(x.Param, c)
		return v, true, kalam.Positioned(err, x.Pos)
	case ast.ExprDefault:
		v, err = s.defaultValue(ctx, c)
		return v, true, err
	case ast.ExprFunc:
		f, ok := defaultFuncs[strings.ToUpper(x.Text)]
		if !ok {
			return v, false, nil
		}
		if v, err = s.function(f); err == nil {
			v, err = datatype.Cast(c.Type, v)
		}
	default:
		return v, false, nil
	}
	if err != nil {
		return v, true, kalam.Positioned(datatype.ForColumn(err, c.Name), x.Pos)
	}
	return v, true, nil
}

// param returns parameter n (from 1) cast to the column's type.
func (s *Session) param(n int, c *kalam.Column) (kalam.Value, error) {
	if n < 1 || n > len(s.params) {
		return kalam.Value{}, kalam.Errorf(kalam.CodeParameterMismatch,
			"Parameter mismatch: statement needs parameter $%d but %d parameters were given", n, len(s.params))
	}
	p := s.params[n-1]
	v, err := s.castTo(c.Type, p)
	if err == nil {
		return v, nil
	}
	if kalam.CodeOf(err) == kalam.CodeConstraint && p.Kind() != kalam.KindText {
		return v, kalam.Errorf(kalam.CodeParameterMismatch, "Parameter $%d: expected %s for column '%s', got %s", n,
			c.Type, c.Name, p.Kind())
	}
	return v, kalam.Wrap(kalam.CodeOf(err), nil, "Parameter $%d: expected %s for column '%s', got %s (%s)", n, c.Type,
		c.Name, p.Kind(), kalam.MessageOf(err))
}

// checkParams compares the placeholders of a statement with the parameters given.
func (s *Session) checkParams(highest int) error {
	if highest != len(s.params) {
		return kalam.Errorf(kalam.CodeParameterMismatch,
			"Parameter mismatch: statement has %d placeholders but %d parameters were given", highest, len(s.params))
	}
	return nil
}

var defaultFuncs = map[string]kalam.DefaultFunc{
	"NOW": kalam.DefaultNow, "CURRENT_TIMESTAMP": kalam.DefaultNow, "SNOWFLAKE_ID": kalam.DefaultSnowflakeID,
	"UUID_V7": kalam.DefaultUUIDV7, "ULID": kalam.DefaultULID,
	"CURRENT_USER": kalam.DefaultCurrentUser, "CURRENT_USER_ID": kalam.DefaultCurrentUser,
}

// function evaluates a server function: NOW once per statement, ids once per call.
func (s *Session) function(f kalam.DefaultFunc) (kalam.Value, error) {
	switch f {
	case kalam.DefaultNow:
		return kalam.Integer(kalam.KindTimestamp, s.Now.UnixMicro()), nil
	case kalam.DefaultSnowflakeID:
		id, err := s.Store.NextID()
		return kalam.BigInt(int64(id)), err
	case kalam.DefaultUUIDV7:
		id, err := uuid.NewV7()
		return kalam.UUID(id), err
	case kalam.DefaultULID:
		return kalam.Text(ulid.Make().String()), nil
	case kalam.DefaultCurrentUser:
		return kalam.Text(string(s.Principal.User)), nil
	default:
		return kalam.Value{}, kalam.Errorf(kalam.CodeInternal, "unknown default function %d", f)
	}
}

// defaultValue returns what an omitted column gets.
func (s *Session) defaultValue(ctx context.Context, c *kalam.Column) (kalam.Value, error) {
	if c.Default == nil {
		return kalam.Null(), nil
	}
	if c.Default.Func == kalam.DefaultLiteral {
		return c.Default.Value, nil
	}
	if c.IsCounted() {
		id := buffer.CounterID{Scope: s.Scope(s.written), Column: c.ID}
		return s.nextCount(ctx, id, c, 0)
	}
	v, err := s.function(c.Default.Func)
	if err != nil {
		return v, err
	}
	return datatype.CastColumn(c, v)
}

// deferred is an expression of a VALUES list that DuckDB evaluates.
type deferred struct {
	row, column int
	expr        *ast.Expr
}

// evaluateLater evaluates expressions in queries of bounded width and hands
// each value to set.
func (s *Session) evaluateLater(
	ctx context.Context, list []deferred, edits sqltext.Edits, set func(deferred, kalam.Value) error,
) error {
	const width = 100
	for len(list) > 0 {
		n := min(width, len(list))
		if err := s.evaluateTogether(ctx, list[:n], edits, set); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

func (s *Session) evaluateTogether(
	ctx context.Context, list []deferred, edits sqltext.Edits, set func(deferred, kalam.Value) error,
) error {
	var sql strings.Builder
	sql.WriteString("SELECT ")
	used := placeholders.New(s.params)
	for i, d := range list {
		if err := s.Query.CheckExpr(ctx, s.Principal.User, d.expr.Text); err != nil {
			return edits.Place(err, d.expr.Pos)
		}
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("(" + used.Rewrite(d.expr.Text) + ")")
	}
	text := used.Compose(s.with, sql.String())
	vals, err := s.OneRow(ctx, text, used.Values(), nil)
	if err != nil {
		return err
	}
	for i, d := range list {
		if err := set(d, vals[i]); err != nil {
			return kalam.Positioned(err, d.expr.Pos)
		}
	}
	return nil
}
