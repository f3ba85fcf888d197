package catalog

import (
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
)

// tableRecord is the whole of one table: its identity and every version of its
// schema, oldest first.
type tableRecord struct {
	Number     kalam.TableNumber `json:"number"`
	Namespace  kalam.NamespaceID `json:"namespace"`
	Name       kalam.TableName   `json:"name"`
	Kind       string            `json:"kind"`
	Creator    kalam.UserID      `json:"creator,omitempty"` // From record version 3 on.
	Folder     kalam.TableName   `json:"folder,omitempty"`  // kalam.Table.Folder; from record version 5 on.
	NextColumn kalam.ColumnID    `json:"next_column"`       // Above every id that any version used.
	CreatedAt  time.Time         `json:"created_at"`
	DroppedAt  time.Time         `json:"dropped_at,omitzero"`
	Versions   []versionRecord   `json:"versions"`
}

type versionRecord struct {
	Version    int              `json:"version"`
	Columns    []columnRecord   `json:"columns"`
	PrimaryKey []kalam.ColumnID `json:"primary_key"`
	Options    optionsRecord    `json:"options"`
	Comment    string           `json:"comment,omitempty"` // From record version 5 on.
	Changes    string           `json:"changes"`
	CreatedAt  time.Time        `json:"created_at"`
}

type columnRecord struct {
	ID      kalam.ColumnID `json:"id"`
	Name    string         `json:"name"`
	Type    kalam.DataType `json:"type"`
	NotNull bool           `json:"not_null,omitempty"`
	Default *defaultRecord `json:"default,omitempty"`
	Comment string         `json:"comment,omitempty"` // From record version 5 on.
	Missing *valueRecord   `json:"missing,omitempty"` // Of rows older than the column; from record version 5 on.
}

type defaultRecord struct {
	Func   string       `json:"func,omitempty"` // "" for a literal.
	Value  *valueRecord `json:"value,omitempty"`
	SQL    string       `json:"sql"`
	Always bool         `json:"always,omitempty"` // From record version 4 on, as the function AUTO_INCREMENT.
}

type optionsRecord struct {
	Storage               kalam.StorageID `json:"storage,omitempty"`
	UseUserStorage        bool            `json:"use_user_storage,omitempty"`
	FlushIntervalNanos    int64           `json:"flush_interval_ns,omitempty"`
	FlushRows             int             `json:"flush_rows,omitempty"`
	FlushManual           bool            `json:"flush_manual,omitempty"`
	FlushCron             string          `json:"flush_cron,omitempty"` // From record version 2 on.
	FlushCronTZ           string          `json:"flush_cron_tz,omitempty"`
	TTLNanos              int64           `json:"ttl_ns,omitempty"`
	MaxStreamBytes        int64           `json:"max_stream_bytes,omitempty"`
	Access                string          `json:"access,omitempty"`
	ShardStrategy         string          `json:"shard_strategy,omitempty"`
	DeletedRetentionHours int             `json:"deleted_retention_hours,omitempty"`
}

// recordOfVersion returns the stored form of one version of a table.
func recordOfVersion(v SchemaVersion) versionRecord {
	t := v.Table
	r := versionRecord{Version: t.SchemaVersion, Options: recordOfOptions(t.Kind, t.Options),
		Comment: t.Comment, Changes: v.Changes, CreatedAt: v.CreatedAt}
	for i := range t.Columns {
		c := &t.Columns[i]
		cr := columnRecord{ID: c.ID, Name: c.Name, Type: c.Type, NotNull: c.NotNull, Comment: c.Comment}
		if d := c.Default; d != nil {
			cr.Default = &defaultRecord{Func: d.Func.String(), SQL: d.SQL, Always: d.Always}
			if d.Func == kalam.DefaultLiteral {
				value := recordOfValue(d.Value)
				cr.Default.Value = &value
			}
		}
		if !c.Missing.IsNull() {
			value := recordOfValue(c.Missing)
			cr.Missing = &value
		}
		r.Columns = append(r.Columns, cr)
	}
	for _, i := range t.PrimaryKey {
		r.PrimaryKey = append(r.PrimaryKey, t.Columns[i].ID)
	}
	return r
}

func recordOfOptions(kind kalam.TableKind, o kalam.TableOptions) optionsRecord {
	r := optionsRecord{
		Storage: o.StorageID, UseUserStorage: o.UseUserStorage,
		FlushIntervalNanos: int64(o.FlushInterval), FlushRows: o.FlushRows,
		FlushManual: o.FlushManual, FlushCron: o.FlushCron, FlushCronTZ: o.FlushCronTZ,
		TTLNanos: int64(o.TTL), MaxStreamBytes: o.MaxStreamBytes, ShardStrategy: o.ShardStrategy, DeletedRetentionHours: o.DeletedRetentionHours,
	}
	if kind == kalam.KindSharedTable {
		r.Access = o.Access.String()
	}
	return r
}

// recordOfTable returns the stored form of a table.
func recordOfTable(e *tableEntry) tableRecord {
	t := e.current
	r := tableRecord{
		Number: t.Number, Namespace: t.ID.Namespace, Name: t.ID.Name, Kind: t.Kind.String(), Creator: t.Creator,
		Folder:     t.Folder,
		NextColumn: e.nextColumn, CreatedAt: t.CreatedAt, DroppedAt: e.droppedAt,
	}
	for _, v := range e.versions {
		r.Versions = append(r.Versions, recordOfVersion(v))
	}
	return r
}

// entry rebuilds the table from its record.
func (r *tableRecord) entry() (*tableEntry, error) {
	kind, err := tableKindNamed(r.Kind)
	if err != nil {
		return nil, err
	}
	if len(r.Versions) == 0 {
		return nil, fmt.Errorf("table %d has no version", r.Number)
	}
	e := &tableEntry{nextColumn: r.NextColumn, droppedAt: r.DroppedAt}
	for i := range r.Versions {
		v := &r.Versions[i]
		if v.Version != i+1 {
			return nil, fmt.Errorf("version %d of table %d stands at place %d", v.Version, r.Number, i+1)
		}
		t := &kalam.Table{
			ID: kalam.TableID{Namespace: r.Namespace, Name: r.Name}, Number: r.Number, Kind: kind, Creator: r.Creator,
			SchemaVersion: v.Version, CreatedAt: r.CreatedAt, UpdatedAt: v.CreatedAt, Comment: v.Comment, Folder: r.Folder,
		}
		if err := v.fill(t); err != nil {
			return nil, fmt.Errorf("version %d of table %d: %w", v.Version, r.Number, err)
		}
		e.versions = append(e.versions, SchemaVersion{Table: t, Changes: v.Changes, CreatedAt: v.CreatedAt})
		e.current = t
	}
	return e, nil
}

// fill sets the columns, the key and the options of t.
func (r *versionRecord) fill(t *kalam.Table) error {
	place := make(map[kalam.ColumnID]int, len(r.Columns))
	for i, cr := range r.Columns {
		c := kalam.Column{ID: cr.ID, Name: cr.Name, Type: cr.Type, NotNull: cr.NotNull, Comment: cr.Comment}
		if cr.Default != nil {
			d, err := cr.Default.value()
			if err != nil {
				return fmt.Errorf("default of column %q: %w", cr.Name, err)
			}
			c.Default = d
		}
		if cr.Missing != nil {
			v, err := cr.Missing.value()
			if err != nil {
				return fmt.Errorf("older rows of column %q: %w", cr.Name, err)
			}
			c.Missing = v
		}
		t.Columns = append(t.Columns, c)
		place[cr.ID] = i
	}
	for _, id := range r.PrimaryKey {
		i, ok := place[id]
		if !ok {
			return fmt.Errorf("primary key names column %d, which does not exist", id)
		}
		t.PrimaryKey = append(t.PrimaryKey, i)
	}
	o := r.Options
	t.Options = kalam.TableOptions{
		StorageID: o.Storage, UseUserStorage: o.UseUserStorage,
		FlushInterval: time.Duration(o.FlushIntervalNanos), FlushRows: o.FlushRows,
		FlushManual: o.FlushManual, FlushCron: o.FlushCron, FlushCronTZ: o.FlushCronTZ,
		TTL: time.Duration(o.TTLNanos), MaxStreamBytes: o.MaxStreamBytes, ShardStrategy: o.ShardStrategy, DeletedRetentionHours: o.DeletedRetentionHours,
	}
	if o.Access != "" {
		access, err := kalam.ParseAccessLevel(o.Access)
		if err != nil {
			return err
		}
		t.Options.Access = access
	}
	return nil
}

func (r *defaultRecord) value() (*kalam.Default, error) {
	d := &kalam.Default{SQL: r.SQL, Always: r.Always}
	if r.Func == "" {
		if r.Value == nil {
			return nil, fmt.Errorf("a literal without value")
		}
		v, err := r.Value.value()
		d.Value = v
		return d, err
	}
	for f := kalam.DefaultNow; f <= kalam.DefaultCounter; f++ {
		if f.String() == r.Func {
			d.Func = f
			return d, nil
		}
	}
	return nil, fmt.Errorf("unknown function %.32q", r.Func)
}

func tableKindNamed(name string) (kalam.TableKind, error) {
	for k := kalam.KindUserTable; k <= kalam.KindStreamTable; k++ {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown table kind %.32q", name)
}
