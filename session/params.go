package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// paramSet renumbers the placeholders of fragments that are put together into
// one query, so that the query's placeholders are $1..$n without gaps.
type paramSet struct {
	given []kalam.Value
	index map[int]int // Number in the statement -> number in the query.
	used  []kalam.Value
}

func newParamSet(given []kalam.Value) *paramSet {
	return &paramSet{given: given, index: map[int]int{}}
}

// rewrite returns the fragment with its placeholders renumbered. A placeholder
// without a value becomes NULL's; checkParams has refused such statements.
func (p *paramSet) rewrite(fragment string) string {
	return sqltext.MapParams(fragment, func(n int) int {
		if m, ok := p.index[n]; ok {
			return m
		}
		v := kalam.Null()
		if n >= 1 && n <= len(p.given) {
			v = p.given[n-1]
		}
		p.used = append(p.used, v)
		p.index[n] = len(p.used)
		return len(p.used)
	})
}

// values returns the query's parameters.
func (p *paramSet) values() []kalam.Value { return p.used }

// compose returns a query of the statement with its WITH list in front.
func (s *Session) compose(params *paramSet, sql string) string {
	return withQuery(params.rewrite(s.with), sql)
}

// withQuery puts a WITH list, "" for none, in front of a query, which may have its own.
func withQuery(with, sql string) string {
	if with == "" {
		return sql
	}
	if hasWord(sql, "with") {
		sql = "SELECT * FROM (" + sql + ")"
	}
	return with + " " + sql
}

// startWith takes the WITH list of a statement: each query that the statement is
// evaluated by has it in front.
func (s *Session) startWith(ctx context.Context, with ast.RawSQL, edits sqltext.Edits) error {
	if with.SQL == "" {
		return nil
	}
	if err := s.Query.CheckWith(ctx, s.Principal.User, with.SQL); err != nil {
		return edits.Place(err, with.Pos)
	}
	s.with = with.SQL
	s.AtEnd(func() { s.with = "" })
	return nil
}
