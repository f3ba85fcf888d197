package schema

import (
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/systables"
)

// DescribeColumns are the columns of DESCRIBE.
var DescribeColumns = systables.Columns(`column_name TEXT, ordinal_position INT, column_id BIGINT, data_type TEXT
is_nullable BOOLEAN
is_primary_key BOOLEAN, column_default TEXT?, column_comment TEXT?, schema_version INT, current_schema_version INT`)

// Description returns the rows of DESCRIBE, the system columns of a stored table last, and its message.
func Description(t *kalam.Table) (rows [][]kalam.Value, message string) {
	version := systables.Int(max(t.SchemaVersion, 1))
	add := func(c *kalam.Column, key bool) {
		def := kalam.Null()
		if c.Default != nil {
			def = kalam.Text(c.Default.SQL)
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(c.Name), systables.Int(len(rows) + 1), kalam.BigInt(int64(c.ID)), kalam.Text(c.Type.String()),
			kalam.Bool(!c.NotNull), kalam.Bool(key), def, systables.TextOrNull(c.Comment), version, version,
		})
	}
	for i := range t.Columns {
		add(&t.Columns[i], t.IsKey(i))
	}
	if t.IsComputed() {
		return rows, ""
	}
	system := systables.SystemColumns()
	for i := range system {
		add(&system[i], false)
	}
	return rows, fmt.Sprintf("Schema version: %d\nHistory: SELECT * FROM system.table_schemas"+
		" WHERE namespace_id = '%s' AND table_name = '%s'", t.SchemaVersion, t.ID.Namespace, t.ID.Name)
}

// StatsColumns are the columns of SHOW TABLE STATS.
var StatsColumns = systables.Columns(`namespace TEXT, table_name TEXT, schema_version INT, buffered_rows BIGINT
flushed_rows BIGINT, total_rows BIGINT
storage_size BIGINT, last_flush TIMESTAMP?, parquet_files BIGINT, flush_config TEXT, logical_rows BIGINT
flushed_segments BIGINT
active_streams BIGINT, memory_bytes BIGINT, next_flush TIMESTAMP?
last_flush_trigger TEXT?, next_flush_trigger TEXT?`)

// HistoryLimit is the number of versions that DESCRIBE ... HISTORY lists.
func HistoryLimit(asked int) int64 {
	if asked > 0 {
		return int64(asked)
	}
	return 100
}
