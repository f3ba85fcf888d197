package systables

import "github.com/kalamlake/kalam/access"

// Tables returns the tables.
func (c *Catalog) Tables() []Table {
	return []Table{
		{Closed("namespaces", `namespace_id TEXT, name TEXT, created_at TIMESTAMP, options JSON?, table_count INT`),
			c.namespaceRows},
		{Closed("users", `user_id TEXT, username TEXT, password_hash TEXT, role TEXT, email TEXT?, auth_type TEXT
auth_data JSON?, metadata JSON?, storage_mode TEXT, storage_id TEXT?, failed_login_attempts INT
locked_until TIMESTAMP?, last_login_at TIMESTAMP?
last_seen TIMESTAMP?, created_at TIMESTAMP, updated_at TIMESTAMP, deleted_at TIMESTAMP?`), c.userRows},
		{Open(access.System, "api_keys", `key_id TEXT, name TEXT, user_id TEXT, scopes TEXT?, created_by TEXT
created_at TIMESTAMP, expires_at TIMESTAMP?, expired BOOLEAN, last_used_at TIMESTAMP?`), c.keyRows},
		{Open(access.System, "grants", GrantColumns), c.grantRows},
		{Open(access.System, "policies", PolicyColumns), c.policyRows},
		{Closed("storages", `storage_id TEXT, storage_name TEXT, description TEXT?, storage_type TEXT, uri TEXT
base_directory TEXT, credentials JSON?, config_json JSON?, shared_tables_template TEXT, user_tables_template TEXT
created_at TIMESTAMP, updated_at TIMESTAMP`), c.storageRows},
		{Closed("tables", `namespace_id TEXT, table_name TEXT, table_type TEXT, table_id TEXT, storage_id TEXT?
use_user_storage BOOLEAN, flush_row_limit INT?, flush_interval_seconds INT?, ttl_seconds INT?
deleted_retention_hours INT, shard_strategy TEXT?, access TEXT?
version BIGINT, schema_version INT, options JSON?, comment TEXT?, created_at TIMESTAMP, updated_at TIMESTAMP
created_by TEXT?`), c.tableRows},
		{Closed("schemas", `table_id TEXT, table_name TEXT, namespace_id TEXT, table_type TEXT, created_at TIMESTAMP
schema_version INT, columns JSON, table_comment TEXT?, updated_at TIMESTAMP, options JSON?, access_level TEXT?
is_latest BOOLEAN, storage_id TEXT?
use_user_storage BOOLEAN?`), c.schemaRows},
		{Closed("table_schemas", `schema_id TEXT, namespace_id TEXT, table_name TEXT, schema_version INT
schema_json JSON, changes TEXT, created_at TIMESTAMP`), c.tableSchemaRows},
		{Closed("columns", `namespace_id TEXT, table_name TEXT, version BIGINT, column_id BIGINT, column_name TEXT
comment TEXT?, data_type TEXT, default_value TEXT?, ordinal BIGINT, nullable BOOLEAN, primary_key BOOLEAN
primary_key_pos BIGINT?`), c.columnRows},
		{Closed("table_options", `namespace_id TEXT, table_name TEXT, option_key TEXT, option_value TEXT
value_type TEXT, description TEXT`), c.tableOptionRows},
		{Open(access.System, "jobs", `job_id TEXT, job_type TEXT, status TEXT, namespace_id TEXT?, table_name TEXT?
parameters JSON?, progress TEXT?, result JSON?, trace TEXT?, error TEXT?, message TEXT?, exception_trace TEXT?
idempotency_key TEXT?, queue TEXT?
priority INT?, retry_count SMALLINT, max_retries SMALLINT, memory_used BIGINT?, cpu_used BIGINT?, created_at TIMESTAMP
updated_at TIMESTAMP
started_at TIMESTAMP?, finished_at TIMESTAMP?, completed_at TIMESTAMP?, node_id BIGINT, leader_status TEXT?
leader_node_id BIGINT?, progress_done BIGINT?, progress_total BIGINT?, progress_per_second DOUBLE?, eta TIMESTAMP?
next_try_at TIMESTAMP?`), c.jobRows},
	}
}
