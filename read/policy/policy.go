package policy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/subscribe"
)

// Parser parses conditions, as query.Planner does.
type Parser interface {
	Filter(ctx context.Context, user kalam.UserID, where string) (subscribe.Expr, error)
}

// Rules makes Rules of policies. The zero value is ready, and safe for concurrent use.
type Rules struct {
	parsed sync.Map // string to subscribe.Expr: conditions of policies, of which there are few.
	n      int
	mu     sync.Mutex // guards n
}

// maxParsed is how many conditions are kept.
const maxParsed = 10_000

// Rule says which rows of a table a principal reaches. It is immutable. A nil *Rule admits all.
type Rule struct {
	Expr   subscribe.Expr // Not of a row that is not admitted: its value is true for those that are.
	SQL    string         // The same for DuckDB, over the columns of the table.
	filter *subscribe.Filter
}

// Admits reports whether a row version is admitted. vals are those of the table's columns.
func (r *Rule) Admits(vals []kalam.Value) bool { return r == nil || r.filter.Match(vals, 0, false) }

// Same reports whether two rules of one table admit the same rows.
func (r *Rule) Same(other *Rule) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.SQL == other.SQL
}

// Of returns the rule by which p reaches rows that are there by each of some commands, all of which must admit a row;
// nil when p reaches all. An error says that policies cannot be applied, so that nothing is to be reached.
func (rs *Rules) Of(
	ctx context.Context, q Parser, a *access.Resolver, p kalam.Principal, t *kalam.Table, commands ...rights.Privileges,
) (*Rule, error) {
	return rs.rule(ctx, q, a, p, t, (*rights.Policy).Existing, commands)
}

// Written is Of for rows that a command writes, as they are after it. With read they must be rows that p may read, too.
func (rs *Rules) Written(
	ctx context.Context, q Parser, a *access.Resolver, p kalam.Principal, t *kalam.Table, command rights.Privileges,
	read bool,
) (*Rule, error) {
	written, err := rs.rule(ctx, q, a, p, t, (*rights.Policy).Written, []rights.Privileges{command})
	if err != nil || !read {
		return written, err
	}
	seen, err := rs.Of(ctx, q, a, p, t, rights.Select)
	switch {
	case err != nil || written == nil:
		return seen, err
	case seen == nil:
		return written, nil
	}
	return compile(p, t, subscribe.And{Args: []subscribe.Expr{written.Expr, seen.Expr}})
}

// rule joins policies: one of a command is enough, and each command must have one.
func (rs *Rules) rule(
	ctx context.Context, q Parser, a *access.Resolver, p kalam.Principal, t *kalam.Table,
	condition func(*rights.Policy) string, commands []rights.Privileges,
) (*Rule, error) {
	var all []subscribe.Expr
	for _, command := range commands {
		list, ok := a.Policies(p, t, command)
		if !ok {
			continue
		}
		one := subscribe.Or{Args: []subscribe.Expr{subscribe.Const{Value: kalam.Bool(false)}}}
		for _, x := range list {
			text := condition(x)
			if text == "" {
				continue
			}
			e, err := rs.parse(ctx, q, text)
			if err != nil {
				return nil, cannotApply(x, t, err)
			}
			one.Args = append(one.Args, e)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return compile(p, t, subscribe.And{Args: all})
}

func cannotApply(x *rights.Policy, t *kalam.Table, err error) error {
	return kalam.Wrap(kalam.CodeInternal, err, "policy %s of table %s cannot be applied", x.Name, t.ID)
}

func compile(p kalam.Principal, t *kalam.Table, e subscribe.Expr) (*Rule, error) {
	f, err := subscribe.Compile(t, e, p.User, p.Role)
	if err != nil {
		return nil, err
	}
	w := writer{user: p.User, role: p.Role}
	w.expr(e)
	if w.err != nil {
		return nil, w.err
	}
	return &Rule{Expr: e, SQL: w.text.String(), filter: f}, nil
}

// parse parses a condition, or finds it parsed.
func (rs *Rules) parse(ctx context.Context, q Parser, text string) (subscribe.Expr, error) {
	if e, ok := rs.parsed.Load(text); ok {
		return e.(subscribe.Expr), nil //nolint:forcetypeassert // Nothing else is stored.
	}
	e, err := q.Filter(ctx, "", text)
	if err != nil {
		return nil, err
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.n++; rs.n > maxParsed {
		rs.parsed.Clear()
		rs.n = 1
	}
	rs.parsed.Store(text, e)
	return e, nil
}

// Check returns the columns of t that a condition names, sorted, or says why it is none of a policy: its error has a
// position in text if one is known.
func (rs *Rules) Check(
	ctx context.Context, q Parser, p kalam.Principal, t *kalam.Table, text string,
) (columns []string, err error) {
	e, err := q.Filter(ctx, p.User, text)
	if err == nil {
		_, err = compile(p, t, e)
	}
	if errors.Is(err, subscribe.ErrNotCompilable) {
		why, _ := strings.CutPrefix(err.Error(), subscribe.ErrNotCompilable.Error()+": ")
		return nil, kalam.Errorf(kalam.CodeUnsupported, "The condition of a policy cannot have %s."+
			" It takes columns of the row, constants, comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, CASE,"+
			" CURRENT_USER() and CURRENT_ROLE()", why).At(0)
	}
	if err != nil {
		return nil, err
	}
	w := writer{}
	w.expr(e)
	for _, name := range w.columns {
		if t.ColumnIndex(name) < 0 {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "The condition of a policy cannot have the column %s", name).At(0)
		}
	}
	slices.Sort(w.columns)
	return slices.Compact(w.columns), nil
}
