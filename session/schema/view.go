package schema

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/views"
)

// CreateView runs CREATE VIEW for a caller and returns the answer. The query is analysed, and every table in it
// resolved, for the caller; nothing of it is run.
func CreateView(ctx context.Context, c *read.Caller, st *ast.CreateView) (string, error) {
	id, err := access.TableID(c.Namespace, st.Name)
	if err == nil {
		err = kalam.Positioned(c.Access.MayCreateView(c.Principal, id.Namespace), st.Name.Pos)
	}
	if err == nil {
		err = dialect.CheckTableName(string(id.Name))
	}
	if err != nil {
		return "", err
	}
	if v, exists := c.Catalog.View(id); exists && st.IfNotExists {
		return fmt.Sprintf("View %s already exists", v.ID), nil
	}
	v := catalog.View{ID: id, Creator: c.Principal.User, Text: st.Text}
	text, reads, fields, err := c.ViewOf(ctx, st.Query.SQL)
	if err != nil {
		return "", st.Edits.Place(err, st.Query.Pos)
	}
	v.Query, v.Reads = text, reads
	results := make([]views.Result, len(fields))
	for i, f := range fields {
		results[i] = views.Result{Name: f.Name, Type: f.Type}
	}
	if err := views.Define(&v, st, results); err != nil {
		return "", err
	}
	err = c.Catalog.PutView(ctx, v, st.Replace, func(old *catalog.View) error {
		return c.Access.MayDropView(c.Principal, old)
	})
	return fmt.Sprintf("View %s created successfully", id), err
}

// DropView runs DROP VIEW for a caller and returns the answer. A view that the caller may not know of does not exist.
func DropView(ctx context.Context, c *read.Caller, st *ast.DropView) (string, error) {
	id, err := access.TableID(c.Namespace, st.Name)
	if err != nil {
		return "", err
	}
	_, known := c.ViewNamed(st.Name)
	if !known && !access.Has(c.Principal, access.DropNamespaces) {
		err = access.NotFound(id)
	} else {
		err = c.Catalog.DropView(ctx, id, func(v *catalog.View) error { return c.Access.MayDropView(c.Principal, v) })
	}
	if kalam.CodeOf(err) == kalam.CodeTableNotFound {
		if st.IfExists {
			return fmt.Sprintf("View %s does not exist (skipped)", id), nil
		}
		err = access.NotFound(id).At(st.Name.Pos)
	}
	return fmt.Sprintf("View %s dropped successfully", id), err
}

// ViewText returns the statement that makes a view like v.
func ViewText(v *catalog.View) string {
	names := ""
	for i, c := range v.Columns {
		if i > 0 {
			names += ", "
		}
		names += sqltext.QuoteIdent(c.Name)
	}
	return fmt.Sprintf("CREATE VIEW %s (%s) AS %s", v.ID, names, v.Query)
}
