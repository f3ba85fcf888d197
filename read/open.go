package read

import (
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
)

// Open analyses sql, resolves and authorises its tables, fixes the read point and starts the query. The caller closes
// the result.
func (c *Caller) Open(ctx context.Context, sql string, params []kalam.Value, o Options) (*Rows, error) {
	ctx, seen := c.Activity.Begin(ctx, c.Principal, c.Namespace, sql)
	rows, err := c.open(ctx, sql, params, o)
	if err != nil {
		seen.End()
		if o.Composed {
			err = kalam.Unpositioned(err)
		}
		return nil, err
	}
	rows.seen = seen
	return rows, nil
}

func (c *Caller) open(ctx context.Context, sql string, params []kalam.Value, o Options) (*Rows, error) {
	o.params = params
	p, err := c.prepare(ctx, sql, o)
	if err != nil {
		return nil, err
	}
	p.rows.rows, err = c.Query.Query(ctx, p.plan, p.sources, c.args(p.params))
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	return p.rows, nil
}

// args returns what a query gets beside its sources.
func (c *Caller) args(params []kalam.Value) query.Args {
	return query.Args{
		Params: params, User: c.Principal.User, Role: c.Principal.Role, Now: c.Now, Namespace: c.Namespace,
	}
}

// prepared is a query before it starts: what it reads is fixed, authorised, and lent to rows.
type prepared struct {
	plan    *query.Plan
	sources []query.Source
	rows    *Rows
	levels  levels
	params  []kalam.Value // Of the text without arrays.
}

// prepare analyses a query, resolves and authorises its tables, and takes their views.
func (c *Caller) prepare(ctx context.Context, sql string, o Options) (*prepared, error) {
	plan, levels, err := c.analyse(ctx, sql, &o)
	if err != nil {
		return nil, err
	}
	rights := c.Catalog.Rights()
	rels, err := c.relations(ctx, plan.Tables(), o)
	if err != nil {
		return nil, levels.place(err)
	}
	rows := &Rows{relations: rels, cacheHit: plan.CacheHit(), point: o.Point, caller: c, rights: rights}
	if rows.point == nil && c.Txn != nil {
		rows.point = c.Txn.Point
	}
	if rows.point == nil {
		rows.point, rows.owned = c.Store.Begin(), true
		err = c.allNewest(rels)
	}
	var sources []query.Source
	if err == nil {
		sources, err = c.sources(ctx, rels, rows)
	}
	if err != nil {
		rows.Close()
		return nil, err
	}
	if rows.owned {
		rows.point.Seal()
	}
	return &prepared{plan: plan, sources: sources, rows: rows, levels: levels, params: o.params}, nil
}

// allNewest returns an error when a relation is not the newest version of its table any more.
func (c *Caller) allNewest(rels []*relation) error {
	for _, r := range rels {
		if r.table != nil {
			if err := c.Newest(r.table); err != nil {
				return err
			}
		}
	}
	return nil
}

// failed lets go of a query that did not start for err. It returns why: a file that was
// changed meanwhile says more than err.
func (p *prepared) failed(ctx context.Context, err error) error {
	if changed := p.rows.files.Changed(ctx, err); changed != nil {
		err = changed
	}
	p.rows.Close()
	return p.levels.place(err)
}

// relations resolves the table references of a plan.
func (c *Caller) relations(ctx context.Context, refs []query.TableRef, o Options) ([]*relation, error) {
	rels := make([]*relation, len(refs))
	for i, ref := range refs {
		rel, err := c.relation(ref, o)
		if err == nil {
			err = c.restrict(ctx, rel)
		}
		if err != nil {
			return nil, err
		}
		rels[i] = rel
	}
	return rels, nil
}

func (c *Caller) relation(ref query.TableRef, o Options) (*relation, error) {
	if given, ok := o.Given[ref.Parts[0]]; ok {
		return &relation{ref: ref, given: given}, nil
	}
	if h, ok := o.histories[ref.Parts[0]]; ok && len(ref.Parts) == 1 {
		return &relation{ref: ref, table: h.table, history: &h}, c.Hold(h.table)
	}
	target := ref.Parts[0] == Target && o.Composed && len(ref.Parts) > 1
	if target {
		ref.Parts, ref.NamesDeleted = ref.Parts[1:], false
	}
	name := ast.Name{Parts: ref.Parts, Pos: ref.Position}
	if ref.Namespace != "" {
		id, err := access.TableID(c.Namespace, name)
		if err == nil && ref.Namespace != string(id.Namespace) {
			err = kalam.Positioned(NotReferenced(ref.Namespace, id), ref.Position)
		}
		if err != nil {
			return nil, err
		}
	}
	want := access.Read
	if o.Serve {
		want = access.Serve
	}
	t, err := c.Table(name, want)
	if err != nil {
		return nil, err
	}
	if t.IsComputed() {
		return &relation{ref: ref, computed: c.Computed.Table(t.ID)}, nil
	}
	return &relation{ref: ref, table: t, target: target, deletes: o.Deletes}, c.Hold(t)
}

// NotReferenced is the error of ns.t.c where t is the table of another namespace.
func NotReferenced(ns string, id kalam.TableID) error {
	return kalam.Errorf(kalam.CodeInvalidSQL, "Referenced table \"%s.%s\" not found: '%s' is read here", ns, id.Name,
		id)
}

// OneRow runs a composed query that gives exactly one row, at a read point or, without one, as Open does.
func (c *Caller) OneRow(
	ctx context.Context,
	sql string,
	params []kalam.Value,
	p *buffer.ReadPoint,
) ([]kalam.Value, error) {
	rows, err := c.Open(ctx, sql, params, Options{Composed: true, Point: p})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	batch, err := rows.Next(ctx)
	if errors.Is(err, io.EOF) {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "expression gives no value")
	}
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	vals := make([]kalam.Value, batch.NumCols())
	for i := range vals {
		vals[i] = datatype.ValueAt(batch.Column(i), 0)
	}
	return vals, nil
}
