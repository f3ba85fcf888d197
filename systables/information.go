package systables

import (
	"context"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
)

// catalogName is table_catalog of information_schema.
const catalogName = "kalam"

// Information are the tables of information_schema. Every role may read them and sees what it may know of. started is
// when the computed tables came to be.
func Information(started time.Time) []Table {
	i := information{Timestamp(started)}
	return []Table{
		{Open(access.Information, "tables", `table_catalog TEXT, table_schema TEXT, table_name TEXT, table_type TEXT
kalamdb_table_type TEXT?, storage_id TEXT?, use_user_storage BOOLEAN?, flush_row_threshold INT?
flush_interval_seconds INT?, ttl_seconds INT?
schema_version INT, created_at TIMESTAMP, updated_at TIMESTAMP?`), i.tableRows},
		{Open(access.Information, "columns", `table_catalog TEXT, table_schema TEXT, namespace_id TEXT, table_name TEXT
column_name TEXT, ordinal_position INT, column_default TEXT?, is_nullable TEXT, data_type TEXT
is_primary_key BOOLEAN`), infoColumnRows},
		{Open(access.Information, "schemata", `catalog_name TEXT, schema_name TEXT, schema_owner TEXT`),
			infoSchemaRows},
		{Open(access.Information, "views",
			`table_catalog TEXT, table_schema TEXT, table_name TEXT, view_definition TEXT?`), infoViewRows},
		{Open(access.Information, "key_column_usage", `constraint_catalog TEXT, constraint_schema TEXT
constraint_name TEXT, table_catalog TEXT, table_schema TEXT, table_name TEXT, column_name TEXT
ordinal_position INT`), infoKeyRows},
	}
}

func infoViewRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, w := range v.Access.Views(v.Principal) {
		rows = append(rows, []kalam.Value{
			kalam.Text(catalogName), Text(w.ID.Namespace), Text(w.ID.Name), kalam.Text(w.Text),
		})
	}
	return rows, nil
}

// information knows when the computed tables came to be.
type information struct{ created kalam.Value }

func (i information) tableRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range v.Access.Tables(v.Principal) {
		rows = append(rows, []kalam.Value{
			kalam.Text(catalogName), Text(t.ID.Namespace), Text(t.ID.Name), kalam.Text("BASE TABLE"),
			kalam.Text(kindWords[t.Kind]), storageOf(t),
			kalam.Bool(t.Options.UseUserStorage), PositiveOrNull(t.Options.FlushRows),
			SecondsOrNull(t.Options.FlushInterval), SecondsOrNull(t.Options.TTL),
			Int(t.SchemaVersion), Timestamp(t.CreatedAt), Timestamp(t.UpdatedAt),
		})
	}
	null := kalam.Null()
	for _, w := range v.Access.Views(v.Principal) {
		rows = append(rows, []kalam.Value{
			kalam.Text(catalogName), Text(w.ID.Namespace), Text(w.ID.Name), kalam.Text("VIEW"), kalam.Text("VIEW"), null,
			null, null, null, null,
			Int(1), Timestamp(w.CreatedAt), Timestamp(w.UpdatedAt),
		})
	}
	for _, t := range v.Access.Computed(v.Principal) {
		rows = append(rows, []kalam.Value{
			kalam.Text(catalogName), Text(t.ID.Namespace), Text(t.ID.Name), kalam.Text("SYSTEM TABLE"), null, null,
			null, null, null, null,
			Int(1), i.created, i.created,
		})
	}
	return rows, nil
}

func infoColumnRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
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
			kalam.Text(catalogName), Text(id.Namespace), Text(id.Namespace), Text(id.Name), kalam.Text(c.Name),
			Int(position), def,
			kalam.Text(nullable), kalam.Text(c.Type.String()), kalam.Bool(key),
		})
	}
	system := SystemColumns()
	for _, t := range v.Access.Tables(v.Principal) {
		for i := range t.Columns {
			add(t.ID, i+1, &t.Columns[i], t.IsKey(i))
		}
		for i := range system {
			add(t.ID, len(t.Columns)+i+1, &system[i], false)
		}
	}
	for _, w := range v.Access.Views(v.Principal) {
		for i, c := range w.Columns {
			add(w.ID, i+1, &kalam.Column{Name: c.Name, Type: c.Type}, false)
		}
	}
	for _, t := range v.Access.Computed(v.Principal) {
		for i := range t.Columns {
			add(t.ID, i+1, &t.Columns[i], false)
		}
	}
	return rows, nil
}

func infoSchemaRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	add := func(ns kalam.NamespaceID) {
		rows = append(rows, []kalam.Value{kalam.Text(catalogName), Text(ns), kalam.Text(catalogName)})
	}
	for _, ns := range v.Access.Namespaces(v.Principal) {
		add(ns.ID)
	}
	add(access.Information)
	add(access.System)
	return rows, nil
}

func infoKeyRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range v.Access.Tables(v.Principal) {
		for k, j := range t.PrimaryKey {
			name := kalam.Text(string(t.ID.Name) + "_pkey")
			rows = append(rows, []kalam.Value{
				kalam.Text(catalogName), Text(t.ID.Namespace), name, kalam.Text(catalogName), Text(t.ID.Namespace),
				Text(t.ID.Name),
				kalam.Text(t.Columns[j].Name), Int(k + 1),
			})
		}
	}
	return rows, nil
}
