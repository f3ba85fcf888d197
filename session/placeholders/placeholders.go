package placeholders

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// Set renumbers the placeholders of fragments that are put together into
// one query, so that the query's placeholders are $1..$n without gaps.
type Set struct {
	given []kalam.Value
	index map[int]int // Number in the statement -> number in the query.
	used  []kalam.Value
}

// New returns a set for a statement with the values given, $1 first.
func New(given []kalam.Value) *Set {
	return &Set{given: given, index: map[int]int{}}
}

// Rewrite returns the fragment with its placeholders renumbered. A placeholder
// without a value becomes NULL's; callers have refused such statements.
func (p *Set) Rewrite(fragment string) string {
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

// Values returns the query's parameters, $1 first.
func (p *Set) Values() []kalam.Value { return p.used }

// Compose returns a query with the WITH list of the statement, "" for none, in front. The query may have one
// of its own.
func (p *Set) Compose(with, sql string) string {
	if with = p.Rewrite(with); with == "" {
		return sql
	}
	if sqltext.HasWord(sql, "with") {
		sql = "SELECT * FROM (" + sql + ")"
	}
	return with + " " + sql
}
