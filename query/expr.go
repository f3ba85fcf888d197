package query

import (
	"context"
	"errors"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/filter"
	"github.com/kalamlake/kalam/subscribe"
)

// CheckExpr checks that fragment is exactly one expression that user SQL may
// hold, so that it can be put into a larger text in parentheses and mean the
// same there. Positions of errors are those in the fragment.
func (e *Planner) CheckExpr(ctx context.Context, user kalam.UserID, fragment string) error {
	if _, ok := e.exprs.Get(fragment); ok {
		return nil
	}
	if err := e.open(ctx); err != nil {
		return err
	}
	if _, err := e.parserOf(user).Expr(ctx, fragment); err != nil {
		return err
	}
	if len(fragment) <= maxCachedSQL {
		e.exprs.Add(fragment, struct{}{})
	}
	return nil
}

// CheckWith checks that with is WITH and its list, and nothing else, so that a query
// after it means what it means. Positions of errors are those in with.
func (e *Planner) CheckWith(ctx context.Context, user kalam.UserID, with string) error {
	return e.parserOf(user).With(ctx, with)
}

// CheckFrom checks that from is what may stand after FROM, and no other clause, so that
// it can be put behind a table and a comma. Positions of errors are those in from.
func (e *Planner) CheckFrom(ctx context.Context, user kalam.UserID, from string) error {
	return e.parserOf(user).From(ctx, from)
}

// LiveQuery analyses SELECT columns FROM table [WHERE condition]. Every other
// construct gives CodeUnsupported with its name, and the errors of Analyse are
// possible. params are the values of its placeholders, each of which becomes a
// literal: a TEXT one that is read like a string literal, any other of its own type.
func (e *Planner) LiveQuery(
	ctx context.Context,
	user kalam.UserID,
	sql string,
	params []kalam.Value,
) (*filter.Plan, error) {
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	return filter.Analyse(ctx, e.parserOf(user), sql, params)
}

// Filter returns the condition of a live query as an expression tree, from
// DuckDB's own parser. Columns are unqualified. What the tree cannot express
// gives an error that wraps subscribe.ErrNotCompilable.
func (e *Planner) Filter(ctx context.Context, user kalam.UserID, where string) (subscribe.Expr, error) {
	return filter.Condition(ctx, e.parserOf(user), where)
}

// CheckZone asks DuckDB for a time zone: nil when it has one of this name, else those whose names are like it.
func (e *Planner) CheckZone(ctx context.Context, user kalam.UserID, name string) (candidates []string, err error) {
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	res, err := e.executor.Run(ctx, &Statement{User: user, SQL: "SELECT 1", Zone: name})
	if err == nil {
		res.Close()
		return nil, nil
	}
	var de *duckerr.Error
	if !errors.As(err, &de) || !strings.Contains(de.Message, "TimeZone") {
		return nil, err
	}
	for _, m := range candidatePattern.FindAllStringSubmatch(de.Message, -1) {
		candidates = append(candidates, m[1])
	}
	if len(candidates) == 0 {
		candidates = []string{"UTC"}
	}
	return candidates, nil
}
