package live

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
)

// feedRelation is the name under which the initial rows of a feed are read.
const feedRelation = "_feed"

// followFeed registers a live query over a computed table: first the registration, then the rows at a seq, then the
// events above it.
func (qs *Queries) followFeed(ctx context.Context, c *read.Caller, spec *spec, r Request) (*Query, error) {
	if spec.options != nil && spec.options.From > 0 {
		return nil, kalam.Errorf(kalam.CodeResumeWindow,
			"resume window exceeded: reload required (changes of %s are not kept)", spec.table.ID)
	}
	q := &Query{spec: spec}
	var err error
	if q.sub, err = qs.register(c.Principal, spec, r); err != nil {
		return nil, err
	}
	if spec.options == nil {
		q.seq = spec.feed.Seq()
		return q, nil
	}
	seq, rows, err := spec.feed.Snapshot(ctx)
	if err != nil {
		q.sub.Close()
		return nil, err
	}
	batches, err := read.BatchesOf(spec.table, rows)
	if err != nil {
		q.sub.Close()
		return nil, err
	}
	q.seq = seq
	q.load = &initialLoad{
		caller: c, spec: spec, free: func() { read.ReleaseBatches(batches) },
		given: map[string]read.Given{feedRelation: {
			Source: &query.Source{Schema: datatype.TableSchema(spec.table), Batches: batches},
		}},
	}
	return q, nil
}
