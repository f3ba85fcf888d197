package read

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/views"
)

// Description is what a query takes and gives.
type Description struct {
	Params []kalam.DataType // Of $1, $2, ...; KindNull when the values decide.
	Fields []Field          // nil when they depend on such values.
}

// Describe finds out what Open would give, without reading a row. declared are the types of the first placeholders,
// KindNull for none.
func (c *Caller) Describe(
	ctx context.Context, sql string, declared []kalam.DataType, o Options,
) (out Description, err error) {
	o.described = true
	plan, levels, err := c.analyse(ctx, sql, &o)
	if err != nil {
		return out, err
	}
	rels, err := c.relations(ctx, plan.Tables(), o)
	if err != nil {
		return out, levels.place(err)
	}
	schemas := make([]*arrow.Schema, len(rels))
	for i, r := range rels {
		switch {
		case r.given.Source != nil:
			schemas[i] = r.given.Source.Schema
		case r.computed != nil:
			schemas[i] = r.computed.Schema()
		default:
			schemas[i] = datatype.TableSchema(r.table)
		}
	}
	d, err := c.Query.Describe(ctx, plan, schemas, declared, query.Args{User: c.Principal.User})
	if err != nil {
		return out, levels.place(err)
	}
	out.Params = d.Params
	table := (&Rows{relations: rels}).Table()
	for _, column := range d.Columns {
		f := Field{Name: column.Name, Type: column.Type}
		if table != nil {
			f = tableField(table, f)
		}
		out.Fields = append(out.Fields, f)
	}
	return out, nil
}

// ViewOf analyses and describes the query of a new view: the text with the namespaces of its tables, what it reads,
// and what it gives. Everything in it is resolved for the caller.
func (c *Caller) ViewOf(ctx context.Context, sql string) (text string, reads []kalam.TableID, out []Field, err error) {
	set := c.Settings
	set.Inner = true
	plan, err := c.Query.AnalyseWith(ctx, c.Principal.User, sql, set)
	if err != nil {
		return "", nil, nil, err
	}
	if text, reads, err = views.Qualified(sql, c.Namespace, plan.Tables()); err != nil {
		return "", nil, nil, err
	}
	d, err := c.Describe(ctx, sql, nil, Options{Inner: true})
	return text, reads, d.Fields, err
}
