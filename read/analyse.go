package read

import (
	"context"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/asof"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read/arrays"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/views"
)

// levels are the edits by which a text became one without views, the first made first.
type levels []sqltext.Edits

// place returns err with its position moved to the text before all edits.
func (l levels) place(err error) error {
	for _, edits := range slices.Backward(l) {
		err = edits.Place(err, 0)
	}
	return err
}

// analyse analyses a query with the queries of views in the places of their names, those of tables as they were, and
// the elements of arrays in the places of placeholders. What these read is added to o, whose parameters become those
// of the text that was analysed.
func (c *Caller) analyse(ctx context.Context, sql string, o *Options) (*query.Plan, levels, error) {
	set := c.Settings
	set.Inner = o.Inner
	var made levels
	edits, err := c.histories(sql, o)
	if err != nil {
		return nil, nil, err
	}
	if len(edits) > 0 {
		made, sql = append(made, edits), edits.Apply(sql, 0, len(sql))
	}
	edits, o.params, err = arrays.Expand(sql, o.params)
	if err != nil {
		return nil, nil, made.place(err)
	}
	if len(edits) > 0 {
		made, sql = append(made, edits), edits.Apply(sql, 0, len(sql))
	}
	plan, err := c.Query.AnalyseWith(ctx, c.Principal.User, sql, set)
	if err != nil || !c.Catalog.HasViews() {
		return plan, made, made.place(err)
	}
	for range catalog.MaxViewDepth {
		edits, err := c.viewer().Edits(sql, c.namesTables(plan.Tables(), o))
		if err != nil {
			return nil, nil, made.place(err)
		}
		if len(edits) == 0 {
			return plan, made, nil
		}
		made = append(made, edits)
		sql = edits.Apply(sql, 0, len(sql))
		if plan, err = c.Query.AnalyseWith(ctx, c.Principal.User, sql, set); err != nil {
			return nil, nil, made.place(err)
		}
	}
	return nil, nil, kalam.Errorf(kalam.CodeTooLarge, "more than %d views stand behind one another", catalog.MaxViewDepth)
}

// ViewNamed returns the view that a name means, if the caller may know of it.
func (c *Caller) ViewNamed(n ast.Name) (*catalog.View, bool) { return c.viewer().View(n) }

func (c *Caller) viewer() *views.Reader {
	return &views.Reader{Access: c.Access, Principal: c.Principal, Namespace: c.Namespace}
}

// namesTables leaves out the references to relations that exist for one query only, and to the target of a statement.
func (c *Caller) namesTables(refs []query.TableRef, o *Options) []query.TableRef {
	return slices.DeleteFunc(slices.Clone(refs), func(ref query.TableRef) bool {
		_, given := o.Given[ref.Parts[0]]
		return given || ref.Parts[0] == Target && o.Composed
	})
}

// histories puts a query in the place of each t AT (...) of a text. What they read is added to o.
func (c *Caller) histories(sql string, o *Options) (sqltext.Edits, error) {
	clauses, err := asof.Find(sql)
	if err != nil || len(clauses) == 0 {
		return nil, err
	}
	o.histories = map[string]history{}
	var edits sqltext.Edits
	for i := range clauses {
		k := &clauses[i]
		name := ast.Name{Parts: k.Parts, Pos: k.Start}
		if v, ok := c.ViewNamed(name); ok {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "AT takes a table; '%s' is a view", v.ID).At(k.Start)
		}
		t, err := c.Table(name, access.Read)
		if err != nil {
			return nil, err
		}
		if t.IsComputed() || !t.Flushable() || t.HasHiddenKey() {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "AT reads the history of USER and SHARED tables; '%s' is none",
				t.ID).At(k.Start)
		}
		var seq kalam.Seq
		if !o.described || !k.IsParam() {
			if seq, err = k.Seq(o.params); err != nil {
				return nil, err
			}
		}
		relation := historyRelation(i)
		o.histories[relation] = history{table: t, seq: seq, pos: k.ValuePos}
		e := sqltext.Edit{Start: k.Start, End: k.End, From: k.Start, Text: k.Query(t, relation, seq)}
		if !k.Aliased {
			e.Text += " AS " + sqltext.QuoteIdent(string(t.ID.Name))
		}
		edits = append(edits, e)
	}
	return edits, nil
}
