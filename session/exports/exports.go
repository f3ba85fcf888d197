// Package exports carries out the statements that give data to others: EXPORT USER DATA, STORAGE EXPORT
// CATALOG and SHOW EXPORT. It asks access before it looks. It knows no session: callers answer with what it
// returns.
package exports

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/export"
	"github.com/kalamlake/kalam/export/iceberg"
	"github.com/kalamlake/kalam/read"
)

// Exports carries out statements for a caller, whose goroutine it shares.
type Exports struct {
	*read.Caller
	Data     *export.Exporter
	Catalogs *iceberg.Exporter
	URL      string // Before the path that export.DownloadPath returns.
}

// StartData runs EXPORT USER DATA and returns the answer, and the job.
func (e *Exports) StartData(ctx context.Context, st *ast.ExportData) (text string, id kalam.JobID, err error) {
	if err := access.Check(e.Principal, access.ExportData); err != nil {
		return "", "", err
	}
	j, err := e.Data.Start(ctx, e.Principal, export.Format(st.Format))
	if err != nil {
		return "", "", err
	}
	return fmt.Sprintf("User data export started. Job ID: %s. Use SHOW EXPORT to check status and get the "+
		"download link.", j.ID), j.ID, nil
}

// StartCatalog runs STORAGE EXPORT CATALOG and returns the answer, and the job.
func (e *Exports) StartCatalog(ctx context.Context, st *ast.ExportCatalog) (text string, id kalam.JobID, err error) {
	if err := access.Check(e.Principal, access.ExportData); err != nil {
		return "", "", err
	}
	a, err := e.scope(st)
	if err != nil {
		return "", "", err
	}
	j, existing, err := e.Catalogs.Start(ctx, e.Principal.User, a.Table, a.Scope)
	if err != nil {
		return "", "", kalam.Positioned(err, st.Table.Pos)
	}
	text = fmt.Sprintf("Catalog export started for table '%s'. Job ID: %s. Use SHOW EXPORT to check status.",
		a.Table.ID, j.ID)
	if existing {
		text = fmt.Sprintf("Catalog export skipped: one is already queued or running for table '%s'. Job ID: %s",
			a.Table.ID, j.ID)
	}
	return text, j.ID, nil
}

// scope returns what a statement exports: the caller's own rows, those of a user whom the caller may act for,
// or a SHARED table, which is for those who maintain it.
func (e *Exports) scope(st *ast.ExportCatalog) (a access.TableAccess, err error) {
	if st.User == "" {
		a, err = e.Resolve(st.Table, access.Read)
		if err == nil && a.Table.IsShared() {
			a, err = e.Resolve(st.Table, access.Maintain)
		}
		return a, err
	}
	rank, there := e.Catalog.RankOf(st.User)
	as, ok := access.ActFor(e.Principal, st.User, rank)
	if !ok || !there {
		return a, kalam.Errorf(kalam.CodePermissionDenied, "role %s cannot export data of user '%s'", e.Principal.Role,
			st.User).At(st.Pos)
	}
	a, err = e.Access.Resolve(as, e.Namespace, st.Table, access.Read)
	if err == nil && !a.Table.HasScopePerUser() {
		return a, kalam.Errorf(kalam.CodeInvalidOperation, "FOR USER is for USER tables; table %s is one for all users",
			a.Table.ID).At(st.Pos)
	}
	return a, err
}

// created is the column of export.Columns that lists are ordered by.
const created = 2

// Show runs SHOW EXPORT and returns the rows, of export.Columns, the newest first.
func (e *Exports) Show(ctx context.Context) ([][]kalam.Value, error) {
	if err := access.Check(e.Principal, access.ExportData); err != nil {
		return nil, err
	}
	rows, err := e.Data.Rows(ctx, e.Principal.User, e.URL)
	if err != nil {
		return nil, err
	}
	list, err := e.Catalogs.Jobs(ctx, e.Principal.User)
	for i := range list {
		j := &list[i]
		said := j.Message
		switch {
		case j.Status == kalam.JobFailed:
			said = j.Error
		case !j.Status.Done() && j.Progress != "":
			said = j.Progress
		}
		message := kalam.Null()
		if said != "" {
			message = kalam.Text(said)
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(string(j.ID)), kalam.Text(string(j.Status)),
			kalam.Integer(kalam.KindTimestamp, j.CreatedAt.UnixMicro()), message, kalam.Null(),
		})
	}
	slices.SortStableFunc(rows, func(a, b []kalam.Value) int { return cmp.Compare(b[created].Int(), a[created].Int()) })
	return rows, err
}
