package engine

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
)

// catalogName is table_catalog of information_schema.
const catalogName = "kalam"

// informationTables are the tables of information_schema. Every role may read
// them and sees what it may access.
func informationTables() []*systemTable {
	return []*systemTable{
		{openTable(access.Information, "tables", `table_catalog TEXT, table_schema TEXT, table_name TEXT, table_type TEXT
kalamdb_table_type TEXT?, storage_id TEXT?, use_user_storage BOOLEAN?, flush_row_threshold INT?, flush_interval_seconds INT?, ttl_seconds INT?
schema_version INT, created_at TIMESTAMP, updated_at TIMESTAMP?`), infoTableRows},
		{openTable(access.Information, "columns", `table_catalog TEXT, table_schema TEXT, namespace_id TEXT, table_name TEXT
column_name TEXT, ordinal_position INT, column_default TEXT?, is_nullable TEXT, data_type TEXT, is_primary_key BOOLEAN`), infoColumnRows},
		{openTable(access.Information, "schemata", `catalog_name TEXT, schema_name TEXT, schema_owner TEXT`), infoSchemaRows},
		{openTable(access.Information, "views", `table_catalog TEXT, table_schema TEXT, table_name TEXT, view_definition TEXT?`), noRows},
		{openTable(access.Information, "key_column_usage", `constraint_catalog TEXT, constraint_schema TEXT
constraint_name TEXT, table_catalog TEXT, table_schema TEXT, table_name TEXT, column_name TEXT, ordinal_position INT`), infoKeyRows},
	}
}

func noRows(context.Context, *session) ([][]kalam.Value, error) { return nil, nil }

var kindWords = map[kalam.TableKind]string{
	kalam.KindUserTable: "USER", kalam.KindSharedTable: "SHARED", kalam.KindStreamTable: "STREAM",
}

func infoTableRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range s.e.access.Tables(s.principal) {
		rows = append(rows, []kalam.Value{
			kalam.Text(catalogName), text(t.ID.Namespace), text(t.ID.Name), kalam.Text("BASE TABLE"), kalam.Text(kindWords[t.Kind]), storageOf(t),
			kalam.Bool(t.Options.UseUserStorage), positiveOrNull(t.Options.FlushRows), secondsOrNull(t.Options.FlushInterval), secondsOrNull(t.Options.TTL),
			integer(t.SchemaVersion), timestamp(t.CreatedAt), timestamp(t.UpdatedAt),
		})
	}
	created := timestamp(s.e.started)
	for _, t := range s.e.access.Computed(s.principal) {
		null := kalam.Null()
		rows = append(rows, []kalam.Value{
			kalam.Text(catalogName), text(t.ID.Namespace), text(t.ID.Name), kalam.Text("SYSTEM TABLE"), null, null, null, null, null, null,
			integer(1), created, created,
		})
	}
	return rows, nil
}

func infoColumnRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	add := func(id kalam.TableID, position int, c *kalam.Column, key bool) {
		def, nullable := kalam.Null(), "YES"
		if c.Default != nil {
			def = kalam.Text(c.Default.SQL)
		}
		if c.NotNull {
			nullable = "NO"
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(catalogName), text(id.Namespace), text(id.Namespace), text(id.Name), kalam.Text(c.Name), integer(position), def,
			kalam.Text(nullable), kalam.Text(c.Type.String()), kalam.Bool(key),
		})
	}
	for _, t := range s.e.access.Tables(s.principal) {
		for i := range t.Columns {
			add(t.ID, i+1, &t.Columns[i], t.IsKey(i))
		}
		for i := range systemColumns {
			add(t.ID, len(t.Columns)+i+1, &systemColumns[i], false)
		}
	}
	for _, t := range s.e.access.Computed(s.principal) {
		for i := range t.Columns {
			add(t.ID, i+1, &t.Columns[i], false)
		}
	}
	return rows, nil
}

func infoSchemaRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	add := func(ns kalam.NamespaceID) {
		rows = append(rows, []kalam.Value{kalam.Text(catalogName), text(ns), kalam.Text(catalogName)})
	}
	for _, ns := range s.e.access.Namespaces(s.principal) {
		add(ns.ID)
	}
	add(access.Information)
	add(access.System)
	return rows, nil
}

func infoKeyRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range s.e.access.Tables(s.principal) {
		for k, j := range t.PrimaryKey {
			name := kalam.Text(string(t.ID.Name) + "_pkey")
			rows = append(rows, []kalam.Value{
				kalam.Text(catalogName), text(t.ID.Namespace), name, kalam.Text(catalogName), text(t.ID.Namespace), text(t.ID.Name),
				kalam.Text(t.Columns[j].Name), integer(k + 1),
			})
		}
	}
	return rows, nil
}
