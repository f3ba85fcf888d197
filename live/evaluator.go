package live

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/read/policy"
	"github.com/kalamlake/kalam/sqltext"
)

// evaluator decides by DuckDB which changed rows meet a condition.
type evaluator struct {
	queries   *Queries
	principal kalam.Principal
	alias     string
	where     string
	deleted   bool
	rule      *policy.Rule // Rows that it does not admit do not match, and the condition is not evaluated on them.
}

// changesRelation is the name under which a condition reads changed rows.
const changesRelation = "_changes"

// Key makes no two principals share an evaluation.
func (v *evaluator) Key() string {
	key := fmt.Sprintf("%q %s %q %q", v.principal.User, v.principal.Role, v.alias, v.where)
	if v.rule != nil {
		key += " " + v.rule.SQL
	}
	return key
}

// NamesDeleted reports whether the condition names _deleted.
func (v *evaluator) NamesDeleted() bool { return v.deleted }

// Match evaluates the condition over the rows in one query, which may take as long as a
// statement may: what takes longer ends the subscriptions that have it, not those beside.
func (v *evaluator) Match(ctx context.Context, t *kalam.Table, rows []kalam.Row) ([]bool, error) {
	if limit := v.queries.Timeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	is, err := v.match(ctx, t, rows)
	if kalam.CodeOf(err) == kalam.CodeUnavailable {
		is, err = v.match(ctx, t, rows) // A process ended; no client is there to try again.
	}
	return is, err
}

func (v *evaluator) match(ctx context.Context, t *kalam.Table, rows []kalam.Row) ([]bool, error) {
	batches, err := read.BatchesOf(t, rows)
	if err != nil {
		return nil, err
	}
	defer read.ReleaseBatches(batches)
	c := v.queries.caller(v.principal, "")
	defer c.EndStatement()
	q := sqltext.QuoteIdent(v.alias)
	sql := fmt.Sprintf("SELECT %s.%s FROM %s AS %s WHERE (%s)", q, kalam.ColumnSeq, changesRelation, q, v.where)
	source := &query.Source{Schema: datatype.TableSchema(t), Batches: batches}
	if v.rule != nil {
		source.Only = v.rule.SQL
	}
	res, err := c.Open(ctx, sql, nil, read.Options{Composed: true,
		Given: map[string]read.Given{changesRelation: {Source: source}}})
	if err != nil {
		return nil, err
	}
	defer res.Close()
	hit := make(map[kalam.Seq]bool, len(rows))
	if err := res.Each(ctx, func(vals []kalam.Value) error {
		hit[kalam.Seq(vals[0].Int())] = true
		return nil
	}); err != nil {
		return nil, err
	}
	out := make([]bool, len(rows))
	for i := range rows {
		out[i] = hit[rows[i].Seq]
	}
	return out, nil
}
