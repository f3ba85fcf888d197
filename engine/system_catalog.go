package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
)

// masked is what every reader sees of a secret.
const masked = "***"

// catalogTables are the system tables that show the catalog.
func catalogTables() []*systemTable {
	return []*systemTable{
		{closedTable("namespaces", `namespace_id TEXT, name TEXT, created_at TIMESTAMP, options JSON?, table_count INT`), namespaceRows},
		{closedTable("users", `user_id TEXT, username TEXT, password_hash TEXT, role TEXT, email TEXT?, auth_type TEXT
auth_data JSON?, metadata JSON?, storage_mode TEXT, storage_id TEXT?, failed_login_attempts INT, locked_until TIMESTAMP?, last_login_at TIMESTAMP?
last_seen TIMESTAMP?, created_at TIMESTAMP, updated_at TIMESTAMP, deleted_at TIMESTAMP?`), userRows},
		{closedTable("storages", `storage_id TEXT, storage_name TEXT, description TEXT?, storage_type TEXT, uri TEXT
base_directory TEXT, credentials JSON?, config_json JSON?, shared_tables_template TEXT, user_tables_template TEXT, created_at TIMESTAMP, updated_at TIMESTAMP`), storageRows},
		{closedTable("tables", `namespace_id TEXT, table_name TEXT, table_type TEXT, table_id TEXT, storage_id TEXT?
use_user_storage BOOLEAN, flush_row_limit INT?, flush_interval_seconds INT?, ttl_seconds INT?, deleted_retention_hours INT, shard_strategy TEXT?, access TEXT?
version BIGINT, schema_version INT, options JSON?, comment TEXT?, created_at TIMESTAMP, updated_at TIMESTAMP, created_by TEXT?`), tableRows},
		{closedTable("schemas", `table_id TEXT, table_name TEXT, namespace_id TEXT, table_type TEXT, created_at TIMESTAMP
schema_version INT, columns JSON, table_comment TEXT?, updated_at TIMESTAMP, options JSON?, access_level TEXT?, is_latest BOOLEAN, storage_id TEXT?
use_user_storage BOOLEAN?`), schemaRows},
		{closedTable("table_schemas", `schema_id TEXT, namespace_id TEXT, table_name TEXT, schema_version INT
schema_json JSON, changes TEXT, created_at TIMESTAMP`), tableSchemaRows},
		{closedTable("columns", `namespace_id TEXT, table_name TEXT, version BIGINT, column_id BIGINT, column_name TEXT
comment TEXT?, data_type TEXT, default_value TEXT?, ordinal BIGINT, nullable BOOLEAN, primary_key BOOLEAN, primary_key_pos BIGINT?`), columnRows},
		{closedTable("table_options", `namespace_id TEXT, table_name TEXT, option_key TEXT, option_value TEXT
value_type TEXT, description TEXT`), tableOptionRows},
	}
}

// allTables returns every stored table, by namespace and name.
func (e *Engine) allTables() []*kalam.Table {
	var out []*kalam.Table
	for _, ns := range e.catalog.Namespaces() {
		out = append(out, e.catalog.Tables(ns.ID)...)
	}
	return out
}

func namespaceRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, ns := range s.e.access.Namespaces(s.principal) {
		options, err := valuesJSON(ns.Options)
		if err != nil {
			return nil, err
		}
		rows = append(rows, []kalam.Value{text(ns.ID), text(ns.ID), timestamp(ns.CreatedAt), jsonOrNull(options), integer(ns.TableCount)})
	}
	return rows, nil
}

// valuesJSON renders options as a JSON object, "" for none.
func valuesJSON(options map[string]kalam.Value) (string, error) {
	if len(options) == 0 {
		return "", nil
	}
	plain := make(map[string]any, len(options))
	for k, v := range options {
		switch v.Kind() {
		case kalam.KindBoolean:
			plain[k] = v.Bool()
		case kalam.KindBigInt:
			plain[k] = v.Int()
		case kalam.KindDouble:
			plain[k] = v.Float64()
		default:
			plain[k] = v.Str()
		}
	}
	b, err := json.Marshal(plain)
	return string(b), err
}

func userRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	guesses := s.e.catalog.Guesses()
	for _, u := range s.e.catalog.Users() {
		data := kalam.Null()
		if !u.AuthData.IsEmpty() {
			data = kalam.JSON(masked)
		}
		rows = append(rows, []kalam.Value{
			text(u.ID), kalam.Text(u.Username), kalam.Text(masked), kalam.Text(u.Role.String()), textOrNull(u.Email), kalam.Text(u.AuthType.String()),
			data, jsonOrNull(u.Metadata), kalam.Text(u.StorageMode.String()), textOrNull(u.StorageID), integer(guesses[u.ID].Failed), timestamp(guesses[u.ID].LockedUntil),
			timestamp(u.LastLogin), timestamp(u.LastSeen), timestamp(u.CreatedAt), timestamp(u.UpdatedAt), timestamp(u.DeletedAt),
		})
	}
	return rows, nil
}

func storageRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, st := range s.e.catalog.Storages() {
		credentials := kalam.Null()
		if st.Credentials != "" {
			credentials = kalam.JSON(masked)
		}
		directory := st.BaseDirectory
		if st.ID == lake.LocalStorage {
			directory = s.e.pair.Storage.Properties().Location
		}
		rows = append(rows, []kalam.Value{
			text(st.ID), kalam.Text(st.Name), textOrNull(st.Description), text(st.Type), kalam.Text(st.URI), kalam.Text(directory),
			credentials, jsonOrNull(st.Config), kalam.Text(orDefault(st.SharedTemplate, lake.DefaultSharedTemplate)),
			kalam.Text(orDefault(st.UserTemplate, lake.DefaultUserTemplate)), timestamp(st.CreatedAt), timestamp(st.UpdatedAt),
		})
	}
	return rows, nil
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func tableRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range s.e.allTables() {
		rows = append(rows, []kalam.Value{
			text(t.ID.Namespace), text(t.ID.Name), kalam.Text(t.Kind.String()), kalam.Text(colonID(t)), storageOf(t),
			kalam.Bool(t.Options.UseUserStorage), positiveOrNull(t.Options.FlushRows), secondsOrNull(t.Options.FlushInterval), secondsOrNull(t.Options.TTL),
			integer(s.e.retentionHours(t)), textOrNull(t.Options.ShardStrategy), accessOf(t), kalam.BigInt(int64(t.SchemaVersion)), integer(t.SchemaVersion),
			jsonOrNull(optionsJSON(t)), kalam.Null(), timestamp(t.CreatedAt), timestamp(t.UpdatedAt), textOrNull(t.Creator),
		})
	}
	for _, t := range s.e.systemDefinitions() {
		id := t.ID
		created := timestamp(s.e.started)
		rows = append(rows, []kalam.Value{
			text(id.Namespace), text(id.Name), kalam.Text("system"), kalam.Text(string(id.Namespace) + ":" + string(id.Name)), kalam.Null(), kalam.Bool(false),
			kalam.Null(), kalam.Null(), kalam.Null(), integer(0), kalam.Null(), kalam.Null(), kalam.BigInt(1), integer(1), kalam.Null(), kalam.Null(), created, created, kalam.Null(),
		})
	}
	return rows, nil
}

// colonID is the table id of the system tables, "ns:t".
func colonID(t *kalam.Table) string { return string(t.ID.Namespace) + ":" + string(t.ID.Name) }

func storageOf(t *kalam.Table) kalam.Value {
	if !t.Flushable() {
		return kalam.Null()
	}
	return kalam.Text(orDefault(string(t.Options.StorageID), string(lake.LocalStorage)))
}

func accessOf(t *kalam.Table) kalam.Value {
	if !t.IsShared() {
		return kalam.Null()
	}
	return kalam.Text(t.Options.Access.String())
}

// retentionHours is how long tombstones of t are kept.
func (e *Engine) retentionHours(t *kalam.Table) int {
	if t.Options.DeletedRetentionHours > 0 {
		return t.Options.DeletedRetentionHours
	}
	return e.config.Retention.DefaultDeletedRetentionHours
}

// option is one clause of a table's definition as system.table_options shows it.
type option struct{ key, value, kind, description string }

// optionsOf lists the type of t and the options that it was given, in a fixed order.
func optionsOf(t *kalam.Table) []option {
	var out []option
	o := t.Options
	add := func(given bool, key, value, kind, description string) {
		if given {
			out = append(out, option{key, value, kind, description})
		}
	}
	add(true, "type", kindWords[t.Kind], "text", "whose rows it holds and where they live")
	add(o.StorageID != "", "storage_id", string(o.StorageID), "text", "storage of the table's segments")
	add(o.UseUserStorage, "use_user_storage", "true", "boolean", "look up each user's own storage at a flush")
	add(o.FlushInterval > 0, "flush_interval_seconds", strconv.Itoa(int(o.FlushInterval.Seconds())), "int", "flush when the oldest buffered row is this old")
	add(o.FlushRows > 0, "flush_row_limit", strconv.Itoa(o.FlushRows), "int", "flush when this many row versions are buffered")
	policy := flushPolicyText(o)
	add(policy != "", "flush_policy", policy, "text", "what flushes the table by itself")
	add(o.FlushCron != "", "flush_cron", o.FlushCron, "text", "flush at these times, in UTC")
	add(o.TTL > 0, "ttl_seconds", strconv.Itoa(int(o.TTL.Seconds())), "int", "rows older than this are invisible")
	add(t.IsShared(), "access_level", o.Access.String(), "text", "which roles read and write")
	add(o.ShardStrategy != "", "shard_strategy", o.ShardStrategy, "text", "how users are spread over folders")
	add(o.DeletedRetentionHours > 0, "deleted_retention_hours", strconv.Itoa(o.DeletedRetentionHours), "int", "how long tombstones are kept")
	return out
}

// flushPolicyText returns the policy as FLUSH_POLICY takes it, "" when none was given.
func flushPolicyText(o kalam.TableOptions) string {
	var list []string
	if o.FlushManual {
		list = append(list, "manual")
	}
	if o.FlushRows > 0 {
		list = append(list, fmt.Sprintf("rows:%d", o.FlushRows))
	}
	if o.FlushInterval > 0 {
		list = append(list, fmt.Sprintf("interval:%d", int64(o.FlushInterval.Seconds())))
	}
	return strings.Join(list, ",")
}

// optionsJSON returns the options of t as a JSON object, numbers and booleans as such.
func optionsJSON(t *kalam.Table) string {
	list := optionsOf(t)
	m := make(map[string]any, len(list))
	for _, o := range list {
		switch o.kind {
		case "int":
			m[o.key] = json.Number(o.value)
		case "boolean":
			m[o.key] = o.value == "true"
		default:
			m[o.key] = o.value
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "" // Texts, booleans and whole numbers always encode.
	}
	return string(b)
}

func tableOptionRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range s.e.allTables() {
		for _, o := range optionsOf(t) {
			rows = append(rows, []kalam.Value{
				text(t.ID.Namespace), text(t.ID.Name), kalam.Text(o.key), kalam.Text(o.value), kalam.Text(o.kind), kalam.Text(o.description),
			})
		}
	}
	return rows, nil
}

// fieldJSON is one column in a schema's JSON.
type fieldJSON struct {
	Name       string `json:"name"`
	DataType   string `json:"data_type"`
	Nullable   bool   `json:"nullable"`
	PrimaryKey bool   `json:"primary_key,omitempty"`
	Default    string `json:"default,omitempty"`
}

func columnsJSON(t *kalam.Table) string {
	fields := make([]fieldJSON, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		fields[i] = fieldJSON{Name: c.Name, DataType: c.Type.String(), Nullable: !c.NotNull, PrimaryKey: t.IsKey(i)}
		if c.Default != nil {
			fields[i].Default = c.Default.SQL
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return "[]" // Plain strings and booleans always encode.
	}
	return string(b)
}

// eachVersion calls f for every schema version of every table, oldest first.
func (e *Engine) eachVersion(f func(v catalog.SchemaVersion, latest bool)) {
	for _, t := range e.allTables() {
		history := e.catalog.SchemaHistory(t.ID)
		for i, v := range history {
			f(v, i == len(history)-1)
		}
	}
}

func schemaRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	s.e.eachVersion(func(v catalog.SchemaVersion, latest bool) {
		t := v.Table
		rows = append(rows, []kalam.Value{
			kalam.Text(colonID(t)), text(t.ID.Name), text(t.ID.Namespace), kalam.Text(t.Kind.String()), timestamp(t.CreatedAt), integer(t.SchemaVersion),
			kalam.JSON(columnsJSON(t)), kalam.Null(), timestamp(v.CreatedAt), jsonOrNull(optionsJSON(t)), accessOf(t), kalam.Bool(latest), storageOf(t),
			kalam.Bool(t.Options.UseUserStorage),
		})
	})
	return rows, nil
}

func tableSchemaRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	s.e.eachVersion(func(v catalog.SchemaVersion, _ bool) {
		t := v.Table
		rows = append(rows, []kalam.Value{
			kalam.Text(fmt.Sprintf("%s:%d", colonID(t), t.SchemaVersion)), text(t.ID.Namespace), text(t.ID.Name), integer(t.SchemaVersion),
			kalam.JSON(columnsJSON(t)), kalam.Text(v.Changes), timestamp(v.CreatedAt),
		})
	})
	return rows, nil
}

func columnRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range s.e.allTables() {
		for i := range t.Columns {
			c := &t.Columns[i]
			def, pos := kalam.Null(), kalam.Null()
			if c.Default != nil {
				def = kalam.Text(c.Default.SQL)
			}
			for k, j := range t.PrimaryKey {
				if j == i {
					pos = kalam.BigInt(int64(k + 1))
				}
			}
			rows = append(rows, []kalam.Value{
				text(t.ID.Namespace), text(t.ID.Name), kalam.BigInt(int64(t.SchemaVersion)), kalam.BigInt(int64(c.ID)), kalam.Text(c.Name), kalam.Null(),
				kalam.Text(c.Type.String()), def, kalam.BigInt(int64(i + 1)), kalam.Bool(!c.NotNull), kalam.Bool(t.IsKey(i)), pos,
			})
		}
	}
	return rows, nil
}
