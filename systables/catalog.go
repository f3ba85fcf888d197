package systables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake/layout"
)

// Masked is what every reader sees of a secret.
const Masked = "***"

// Catalog is what the tables that show the catalog are computed from.
type Catalog struct {
	Catalog   *catalog.Catalog
	Location  string    // Of the storage "local".
	Retention int       // Hours that tombstones are kept, of a table that does not say it.
	Started   time.Time // When the computed tables came to be.
	NodeID    int
	JobType   func(kalam.JobKind) string // Names a kind of job.
	// Credentials returns what may be shown of the credentials of a storage, as JSON; "" for none.
	Credentials func(*catalog.Storage) string
}

// allTables returns every stored table, by namespace and name.
func (c *Catalog) allTables() []*kalam.Table {
	var out []*kalam.Table
	for _, ns := range c.Catalog.Namespaces() {
		out = append(out, c.Catalog.Tables(ns.ID)...)
	}
	return out
}

func (c *Catalog) namespaceRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, ns := range v.Access.Namespaces(v.Principal) {
		options, err := valuesJSON(ns.Options)
		if err != nil {
			return nil, err
		}
		rows = append(rows, []kalam.Value{Text(ns.ID), Text(ns.ID), Timestamp(ns.CreatedAt), JSONOrNull(options),
			Int(ns.TableCount)})
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

func (c *Catalog) userRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	guesses := c.Catalog.Guesses()
	for _, u := range c.Catalog.Users() {
		if u.IsDeleted() && !v.Dropped {
			continue
		}
		data := kalam.Null()
		if !u.AuthData.IsEmpty() {
			data = kalam.JSON(Masked)
		}
		rows = append(rows, []kalam.Value{
			Text(u.ID), kalam.Text(u.Username), kalam.Text(Masked), kalam.Text(u.Role.String()), TextOrNull(u.Email),
			kalam.Text(u.AuthType.String()),
			data, JSONOrNull(u.Metadata), kalam.Text(u.StorageMode.String()), TextOrNull(u.StorageID),
			Int(guesses[u.ID].Failed), Timestamp(guesses[u.ID].LockedUntil),
			Timestamp(u.LastLogin), Timestamp(u.LastSeen), Timestamp(u.CreatedAt), Timestamp(u.UpdatedAt),
			Timestamp(u.DeletedAt),
		})
	}
	return rows, nil
}

func (c *Catalog) storageRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, st := range c.Catalog.Storages() {
		credentials := kalam.Null()
		if st.Credentials != "" {
			credentials = kalam.JSON(orDefault(c.Credentials(&st), `"`+Masked+`"`))
		}
		directory := st.BaseDirectory
		if st.ID == kalam.LocalStorage {
			directory = c.Location
		}
		rows = append(rows, []kalam.Value{
			Text(st.ID), kalam.Text(st.Name), TextOrNull(st.Description), Text(st.Type), kalam.Text(st.URI),
			kalam.Text(directory),
			credentials, JSONOrNull(st.Config), kalam.Text(orDefault(st.SharedTemplate, layout.DefaultSharedTemplate)),
			kalam.Text(orDefault(st.UserTemplate, layout.DefaultUserTemplate)), Timestamp(st.CreatedAt),
			Timestamp(st.UpdatedAt),
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

func (c *Catalog) tableRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range c.allTables() {
		rows = append(rows, []kalam.Value{
			Text(t.ID.Namespace), Text(t.ID.Name), kalam.Text(t.Kind.String()), kalam.Text(colonID(t)), storageOf(t),
			kalam.Bool(t.Options.UseUserStorage), PositiveOrNull(t.Options.FlushRows),
			SecondsOrNull(t.Options.FlushInterval), SecondsOrNull(t.Options.TTL),
			Int(t.RetentionHours(c.Retention)), TextOrNull(t.Options.ShardStrategy), accessOf(t),
			kalam.BigInt(int64(t.SchemaVersion)), Int(t.SchemaVersion),
			JSONOrNull(optionsJSON(t)), TextOrNull(t.Comment), Timestamp(t.CreatedAt), Timestamp(t.UpdatedAt),
			TextOrNull(t.Creator),
		})
	}
	for _, t := range v.Access.Computed(v.Principal) {
		id := t.ID
		created := Timestamp(c.Started)
		rows = append(rows, []kalam.Value{
			Text(id.Namespace), Text(id.Name), kalam.Text("system"),
			kalam.Text(string(id.Namespace) + ":" + string(id.Name)), kalam.Null(), kalam.Bool(false),
			kalam.Null(), kalam.Null(), kalam.Null(), Int(0), kalam.Null(), kalam.Null(), kalam.BigInt(1), Int(1),
			kalam.Null(), kalam.Null(), created, created, kalam.Null(),
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
	return kalam.Text(orDefault(string(t.Options.StorageID), string(kalam.LocalStorage)))
}

func accessOf(t *kalam.Table) kalam.Value {
	if !t.IsShared() {
		return kalam.Null()
	}
	return kalam.Text(t.Options.Access.String())
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
	add(o.FlushInterval > 0, "flush_interval_seconds", strconv.Itoa(int(o.FlushInterval.Seconds())), "int",
		"flush when the oldest buffered row is this old")
	add(o.FlushRows > 0, "flush_row_limit", strconv.Itoa(o.FlushRows), "int",
		"flush when this many row versions are buffered")
	policy := flushPolicyText(o)
	add(policy != "", "flush_policy", policy, "text", "what flushes the table by itself")
	add(o.FlushCron != "", "flush_cron", o.FlushCron, "text", "flush at these times")
	add(o.FlushCronTZ != "", "flush_cron_tz", o.FlushCronTZ, "text", "time zone of flush_cron; without it UTC")
	add(o.TTL > 0, "ttl_seconds", strconv.Itoa(int(o.TTL.Seconds())), "int", "rows older than this are invisible")
	add(o.MaxStreamBytes > 0, "max_stream_size_bytes", strconv.FormatInt(o.MaxStreamBytes, 10), "int",
		"from here on the oldest rows go")
	add(t.IsShared(), "access_level", o.Access.String(), "text", "which roles read and write")
	add(o.ShardStrategy != "", "shard_strategy", o.ShardStrategy, "text", "how users are spread over folders")
	add(o.DeletedRetentionHours > 0, "deleted_retention_hours", strconv.Itoa(o.DeletedRetentionHours), "int",
		"how long tombstones are kept")
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

func (c *Catalog) tableOptionRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range c.allTables() {
		for _, o := range optionsOf(t) {
			rows = append(rows, []kalam.Value{
				Text(t.ID.Namespace), Text(t.ID.Name), kalam.Text(o.key), kalam.Text(o.value), kalam.Text(o.kind),
				kalam.Text(o.description),
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
func (c *Catalog) eachVersion(f func(v catalog.SchemaVersion, latest bool)) {
	for _, t := range c.allTables() {
		history := c.Catalog.SchemaHistory(t.ID)
		for i, v := range slices.Backward(history) {
			f(v, i == 0)
		}
	}
}

func (c *Catalog) schemaRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	c.eachVersion(func(of catalog.SchemaVersion, latest bool) {
		t := of.Table
		rows = append(rows, []kalam.Value{
			kalam.Text(colonID(t)), Text(t.ID.Name), Text(t.ID.Namespace), kalam.Text(t.Kind.String()),
			Timestamp(t.CreatedAt), Int(t.SchemaVersion),
			kalam.JSON(columnsJSON(t)), TextOrNull(t.Comment), Timestamp(of.CreatedAt), JSONOrNull(optionsJSON(t)), accessOf(t),
			kalam.Bool(latest), storageOf(t),
			kalam.Bool(t.Options.UseUserStorage),
		})
	})
	return rows, nil
}

func (c *Catalog) tableSchemaRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	c.eachVersion(func(of catalog.SchemaVersion, _ bool) {
		t := of.Table
		rows = append(rows, []kalam.Value{
			kalam.Text(fmt.Sprintf("%s:%d", colonID(t), t.SchemaVersion)), Text(t.ID.Namespace), Text(t.ID.Name),
			Int(t.SchemaVersion),
			kalam.JSON(columnsJSON(t)), kalam.Text(of.Changes), Timestamp(of.CreatedAt),
		})
	})
	return rows, nil
}

func (c *Catalog) columnRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range c.allTables() {
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
				Text(t.ID.Namespace), Text(t.ID.Name), kalam.BigInt(int64(t.SchemaVersion)), kalam.BigInt(int64(c.ID)),
				kalam.Text(c.Name), TextOrNull(c.Comment),
				kalam.Text(c.Type.String()), def, kalam.BigInt(int64(i + 1)), kalam.Bool(!c.NotNull),
				kalam.Bool(t.IsKey(i)), pos,
			})
		}
	}
	return rows, nil
}
