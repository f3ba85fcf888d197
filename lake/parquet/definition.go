package parquet

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/integrity"
)

// MetaDefinition is the key of the key-value metadata with the definition of the
// table that a segment was written for, so that a lake can be read without the write
// buffer:
//
//	{format} {crc32c of the JSON, 8 hex digits} {JSON}
const MetaDefinition = "kalam.definition"

// Formats of a definition. One without a column that says what older rows hold is written in the first, which programs
// from before there were such columns read.
const (
	plainDefinition  = 1
	definitionFormat = 2 // The newest that this program reads: missing of a column.
)

// definitionFile is the JSON of a definition. Fields of a later version of the program
// that do not change the meaning of these may be added without a new format.
type definitionFile struct {
	Name      kalam.TableName    `json:"name,omitempty"` // Where the folder has another.
	Comment   string             `json:"comment,omitempty"`
	Kind      string             `json:"kind"`
	Columns   []definitionColumn `json:"columns"`
	Key       []kalam.ColumnID   `json:"key"` // The primary key, in its order.
	Options   *definitionOptions `json:"options,omitempty"`
	Creator   kalam.UserID       `json:"creator,omitempty"`
	CreatedAt time.Time          `json:"created_at"`
	ChangedAt time.Time          `json:"changed_at,omitzero"` // Of the version, when it is not the first.
}

type definitionColumn struct {
	ID      kalam.ColumnID     `json:"id"`
	Name    string             `json:"name"`
	Type    kalam.DataType     `json:"type"`
	NotNull bool               `json:"not_null,omitempty"`
	Default *definitionDefault `json:"default,omitempty"`
	Comment string             `json:"comment,omitempty"`
	Missing []byte             `json:"missing,omitempty"` // As the value of a default.
}

type definitionDefault struct {
	Func  string `json:"func,omitempty"`  // "" for a literal.
	Value []byte `json:"value,omitempty"` // Of a literal: a row of this one column (docs/architecture/row-format.md).
	SQL   string `json:"sql"`
}

// definitionOptions are the options that differ from those of a table without any.
type definitionOptions struct {
	Storage               kalam.StorageID `json:"storage,omitempty"`
	UseUserStorage        bool            `json:"use_user_storage,omitempty"`
	FlushIntervalNanos    int64           `json:"flush_interval_ns,omitempty"`
	FlushRows             int             `json:"flush_rows,omitempty"`
	FlushManual           bool            `json:"flush_manual,omitempty"`
	FlushCron             string          `json:"flush_cron,omitempty"`
	FlushCronTZ           string          `json:"flush_cron_tz,omitempty"`
	Access                string          `json:"access,omitempty"` // Of a SHARED table that is not private.
	ShardStrategy         string          `json:"shard_strategy,omitempty"`
	DeletedRetentionHours int             `json:"deleted_retention_hours,omitempty"`
}

// EncodeDefinition returns the value of MetaDefinition for t.
func EncodeDefinition(t *kalam.Table) (string, error) {
	d := definitionFile{
		Kind: t.Kind.String(), Columns: make([]definitionColumn, len(t.Columns)), Key: make([]kalam.ColumnID,
			len(t.PrimaryKey)),
		Options: optionsOf(t), Creator: t.Creator, CreatedAt: t.CreatedAt,
	}
	if !t.UpdatedAt.Equal(t.CreatedAt) {
		d.ChangedAt = t.UpdatedAt
	}
	d.Comment = t.Comment
	if t.Folder != "" {
		d.Name = t.ID.Name
	}
	format := plainDefinition
	for i := range t.Columns {
		c := &t.Columns[i]
		d.Columns[i] = definitionColumn{ID: c.ID, Name: c.Name, Type: c.Type, NotNull: c.NotNull, Comment: c.Comment}
		if c.Default != nil {
			d.Columns[i].Default = &definitionDefault{Func: c.Default.Func.String(), SQL: c.Default.SQL}
			if c.Default.Func == kalam.DefaultLiteral {
				d.Columns[i].Default.Value = datatype.EncodeRow(nil, tableOfColumn(c), []kalam.Value{c.Default.Value})
			}
		}
		if !c.Missing.IsNull() {
			format = definitionFormat
			d.Columns[i].Missing = datatype.EncodeRow(nil, tableOfColumn(c), []kalam.Value{c.Missing})
		}
	}
	for i, k := range t.PrimaryKey {
		d.Key[i] = t.Columns[k].ID
	}
	body, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode the definition of table %s: %w", t.ID, err)
	}
	return fmt.Sprintf("%d %08x %s", format, integrity.Checksum(body), body), nil
}

// tableOfColumn returns a table of nothing but a column.
func tableOfColumn(c *kalam.Column) *kalam.Table {
	return &kalam.Table{Columns: []kalam.Column{{ID: c.ID, Name: c.Name, Type: c.Type}}}
}

func optionsOf(t *kalam.Table) *definitionOptions {
	o := &t.Options
	d := definitionOptions{
		UseUserStorage: o.UseUserStorage, FlushIntervalNanos: int64(o.FlushInterval), FlushRows: o.FlushRows,
		FlushManual: o.FlushManual, FlushCron: o.FlushCron, FlushCronTZ: o.FlushCronTZ,
		ShardStrategy:         o.ShardStrategy,
		DeletedRetentionHours: o.DeletedRetentionHours,
	}
	if o.StorageID != kalam.LocalStorage {
		d.Storage = o.StorageID
	}
	if o.Access != kalam.AccessPrivate {
		d.Access = o.Access.String()
	}
	if d == (definitionOptions{}) {
		return nil
	}
	return &d
}

// DecodeDefinition rebuilds the table from the value of MetaDefinition; its number,
// schema version and namespace are not part of it, and its name only where that is another
// than that of its folder. A later format is CodeUnsupported,
// damage CodeCorrupt.
func DecodeDefinition(text string) (*kalam.Table, error) {
	head, rest, _ := strings.Cut(text, " ")
	sum, body, ok := strings.Cut(rest, " ")
	format, err := strconv.Atoi(head)
	if err != nil || !ok || format < 1 {
		return nil, integrity.Corrupt(MetaDefinition, "it does not begin as a definition")
	}
	if format > definitionFormat {
		return nil, kalam.Errorf(kalam.CodeUnsupported,
			"%s has format %d, written by a newer kalam; this program reads up to format %d",
			MetaDefinition, format, definitionFormat)
	}
	if want := fmt.Sprintf("%08x", integrity.Checksum([]byte(body))); sum != want {
		return nil, integrity.Corrupt(MetaDefinition, "its checksum does not match")
	}
	var d definitionFile
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		return nil, integrity.Corrupt(MetaDefinition, "%w", err)
	}
	t, err := d.table()
	if err != nil {
		return nil, integrity.Corrupt(MetaDefinition, "%w", err)
	}
	return t, nil
}

func (d *definitionFile) table() (*kalam.Table, error) {
	t := &kalam.Table{Creator: d.Creator, CreatedAt: d.CreatedAt, UpdatedAt: d.CreatedAt, Comment: d.Comment}
	t.ID.Name = d.Name
	if !d.ChangedAt.IsZero() {
		t.UpdatedAt = d.ChangedAt
	}
	switch d.Kind {
	case kalam.KindUserTable.String():
		t.Kind = kalam.KindUserTable
	case kalam.KindSharedTable.String():
		t.Kind = kalam.KindSharedTable
	default:
		return nil, fmt.Errorf("a table of kind %.32q has no files", d.Kind)
	}
	place := make(map[kalam.ColumnID]int, len(d.Columns))
	for i := range d.Columns {
		c, err := d.Columns[i].column()
		if err != nil {
			return nil, fmt.Errorf("column %.64q: %w", d.Columns[i].Name, err)
		}
		t.Columns = append(t.Columns, c)
		place[c.ID] = i
	}
	for _, id := range d.Key {
		i, ok := place[id]
		if !ok {
			return nil, fmt.Errorf("the primary key names the column %d, which does not exist", id)
		}
		t.PrimaryKey = append(t.PrimaryKey, i)
	}
	return t, d.Options.apply(t)
}

func (d *definitionColumn) column() (kalam.Column, error) {
	c := kalam.Column{ID: d.ID, Name: d.Name, Type: d.Type, NotNull: d.NotNull, Comment: d.Comment}
	if d.Missing != nil {
		values, err := datatype.DecodeRow(tableOfColumn(&c), d.Missing, nil)
		if err != nil {
			return c, err
		}
		c.Missing = values[0]
	}
	if d.Default == nil {
		return c, nil
	}
	c.Default = &kalam.Default{SQL: d.Default.SQL}
	if d.Default.Func == "" {
		values, err := datatype.DecodeRow(tableOfColumn(&c), d.Default.Value, nil)
		if err != nil {
			return c, err
		}
		c.Default.Value = values[0]
		return c, nil
	}
	for f := kalam.DefaultNow; f <= kalam.DefaultCounter; f++ {
		if f.String() == d.Default.Func {
			c.Default.Func = f
			return c, nil
		}
	}
	return c, fmt.Errorf("unknown function %.32q", d.Default.Func)
}

func (d *definitionOptions) apply(t *kalam.Table) error {
	t.Options.StorageID = kalam.LocalStorage
	if d == nil {
		return nil
	}
	t.Options = kalam.TableOptions{
		StorageID: kalam.LocalStorage, UseUserStorage: d.UseUserStorage,
		FlushInterval: time.Duration(d.FlushIntervalNanos), FlushRows: d.FlushRows,
		FlushManual: d.FlushManual, FlushCron: d.FlushCron, FlushCronTZ: d.FlushCronTZ,
		ShardStrategy:         d.ShardStrategy,
		DeletedRetentionHours: d.DeletedRetentionHours,
	}
	if d.Storage != "" {
		t.Options.StorageID = d.Storage
	}
	if d.Access != "" {
		access, err := kalam.ParseAccessLevel(d.Access)
		if err != nil {
			return err
		}
		t.Options.Access = access
	}
	return nil
}
