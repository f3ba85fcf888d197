package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/systables"
)

// show runs the statements that list what the catalog holds. They are SELECTs
// over system tables, or tables computed in the same way.
func (s *Session) show(ctx context.Context, st ast.Statement) error {
	switch st := st.(type) {
	case *ast.ShowNamespaces:
		return s.elevated(ctx, "SELECT * FROM system.namespaces ORDER BY namespace_id")
	case *ast.ShowTables:
		return s.showTables(ctx, st)
	case *ast.ShowStorages:
		return s.showStorages(ctx)
	case *ast.ShowExport:
		return s.showExport(ctx)
	case *ast.ShowJobs:
		return s.elevated(ctx, "SELECT * FROM system.jobs ORDER BY created_at DESC")
	case *ast.ShowManifest:
		return s.showManifest(ctx, st)
	case *ast.Describe:
		return s.describe(ctx, st)
	case *ast.ShowCreate:
		return s.showCreate(st)
	case *ast.ShowColumns:
		return s.describe(ctx, &ast.Describe{Table: st.Table})
	case *ast.ShowStats:
		return s.showStats(ctx, st)
	}
	return kalam.Errorf(kalam.CodeUnsupported, "this statement is not supported by this version")
}

// showStorages lists the storages: all of them for admins, names and types for others,
// who need them for STORAGE_ID and no more.
func (s *Session) showStorages(ctx context.Context) error {
	if access.Has(s.Principal, access.SeeStorages) {
		return s.elevated(ctx, "SELECT * FROM system.storages")
	}
	return s.elevated(ctx, "SELECT storage_id, storage_name, storage_type FROM system.storages ORDER BY storage_id")
}

// showManifest lists the manifests that the principal may see, of one table or of all.
func (s *Session) showManifest(ctx context.Context, st *ast.ShowManifest) error {
	const all = "SELECT * FROM system.manifest"
	if st.Table == nil {
		return s.elevated(ctx, all+" ORDER BY cache_key")
	}
	t, err := s.Table(*st.Table, access.Read)
	if err != nil {
		return err
	}
	return s.elevated(ctx, all+" WHERE namespace_id = $1 AND table_name = $2 ORDER BY cache_key",
		systables.Text(t.ID.Namespace), systables.Text(t.ID.Name))
}

// elevated streams a query of the server's own text over system tables.
func (s *Session) elevated(ctx context.Context, sql string, params ...kalam.Value) error {
	res, err := s.Open(ctx, sql, params, read.Options{Serve: true, Composed: true})
	if err != nil {
		return err
	}
	defer res.Close()
	return s.stream(ctx, res)
}

// listing sends rows that were computed here.
func (s *Session) listing(columns []kalam.Column, rows [][]kalam.Value, message string) error {
	header := RowsHeader{AsUser: s.Principal.User, Statement: s.statement}
	for _, c := range columns {
		header.Fields = append(header.Fields, read.Field{Name: c.Name, Type: c.Type})
	}
	if err := s.startRows(header); err != nil {
		return err
	}
	for _, row := range rows {
		if err := s.out.Values(row); err != nil {
			return err
		}
	}
	return s.out.EndRows(RowsTrailer{RowCount: int64(len(rows)), Message: message})
}

// showTables lists the tables the principal may read, of one namespace or all.
func (s *Session) showTables(ctx context.Context, st *ast.ShowTables) error {
	const all = "SELECT table_schema AS namespace_id, table_name, lower(kalamdb_table_type) AS table_type," +
		" storage_id, schema_version, created_at, updated_at" +
		" FROM information_schema.tables WHERE kalamdb_table_type IS NOT NULL"
	if st.Namespace == nil {
		return s.elevated(ctx, all+" ORDER BY namespace_id, table_name")
	}
	if !s.Access.SeesNamespace(s.Principal, kalam.NamespaceID(st.Namespace.Name)) {
		return kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist", st.Namespace.Name).
			Lacks(kalam.MissingNamespace, st.Namespace.Name).At(st.Namespace.Pos)
	}
	return s.elevated(ctx, all+" AND table_schema = $1 ORDER BY namespace_id, table_name",
		kalam.Text(st.Namespace.Name))
}

// describe lists the columns of a table, the system columns last, or its
// schema versions, newest first.
func (s *Session) describe(ctx context.Context, st *ast.Describe) error {
	if done, err := s.describeView(st); done {
		return err
	}
	t, err := s.Table(st.Table, access.See)
	if err != nil {
		return err
	}
	if st.History && !t.IsComputed() {
		return s.elevated(ctx,
			"SELECT schema_version, changes, schema_json, created_at FROM system.table_schemas"+
				" WHERE namespace_id = $1 AND table_name = $2"+
				" ORDER BY schema_version DESC LIMIT $3", systables.Text(t.ID.Namespace), systables.Text(t.ID.Name),
			kalam.BigInt(schema.HistoryLimit(st.Limit)))
	}
	rows, message := schema.Description(t)
	return s.listing(schema.DescribeColumns, rows, message)
}

// showStats reports a table from counters, without reading a row. A user sees their
// own scope, an admin the whole table. When a USER table is flushed next depends on
// the rows of all, so that is for admins.
func (s *Session) showStats(ctx context.Context, st *ast.ShowStats) error {
	t, err := s.Table(st.Table, access.See)
	if err == nil && t.IsComputed() {
		err = access.NotFound(t.ID).At(st.Table.Pos)
	}
	if err != nil {
		return err
	}
	sum, err := s.tableStats(ctx, t) // Refuses those whom policies restrict.
	if err != nil {
		return err
	}
	var next jobs.FlushDue
	var last jobs.Trigger
	var streams int
	if s.Access.May(s.Principal, t, access.Count) == nil {
		next = s.server.Maintenance.NextFlush(t)
		if last, err = s.server.Maintenance.LastFlush(ctx, t); err != nil {
			return err
		}
		streams = s.server.Hub.CountTable(t.Number)
	} else {
		streams = s.server.Hub.CountScope(s.Scope(t))
	}
	row := []kalam.Value{
		systables.Text(t.ID.Namespace), systables.Text(t.ID.Name), systables.Int(t.SchemaVersion),
		kalam.BigInt(sum.Buffered), kalam.BigInt(sum.Flushed), kalam.BigInt(sum.Buffered + sum.Flushed),
		kalam.BigInt(sum.FlushedBytes), systables.Timestamp(sum.LastFlush), kalam.BigInt(sum.Segments),
		kalam.Text(s.server.Maintenance.Policy(t)), kalam.BigInt(sum.Live), kalam.BigInt(sum.Segments),
		kalam.BigInt(int64(streams)), kalam.BigInt(sum.BufferedBytes), systables.Timestamp(next.At),
		systables.TextOrNull(last), systables.TextOrNull(next.Trigger),
	}
	return s.listing(schema.StatsColumns, [][]kalam.Value{row}, "")
}
