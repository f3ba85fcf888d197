package read

import (
	"context"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
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

// analyse analyses a query with the queries of views in the places of their names.
func (c *Caller) analyse(ctx context.Context, sql string, o Options) (*query.Plan, levels, error) {
	set := c.Settings
	set.Inner = o.Inner
	plan, err := c.Query.AnalyseWith(ctx, c.Principal.User, sql, set)
	if err != nil || !c.Catalog.HasViews() {
		return plan, nil, err
	}
	var made levels
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
func (c *Caller) namesTables(refs []query.TableRef, o Options) []query.TableRef {
	return slices.DeleteFunc(slices.Clone(refs), func(ref query.TableRef) bool {
		_, given := o.Given[ref.Parts[0]]
		return given || ref.Parts[0] == Target && o.Composed
	})
}

// ViewOf analyses and describes the query of a new view: the text with the namespaces of its tables, what it reads, and what
// it gives. Everything in it is resolved for the caller.
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
