package ast

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// OptionSet says which table options a statement gives.
type OptionSet uint16

// The table options.
const (
	OptionType OptionSet = 1 << iota
	OptionStorage
	OptionUserStorage
	OptionFlushInterval
	OptionFlushRows
	OptionFlushManual
	OptionTTL
	OptionAccess
	OptionShard
	OptionRetention
	OptionFlushCron
	OptionFlushCronTZ
	OptionStreamBytes
)

// Has reports whether any option of o is in s.
func (s OptionSet) Has(o OptionSet) bool { return s&o != 0 }

// CreateTable is CREATE TABLE. Table has Kind (0 when the statement does not
// say), Columns, PrimaryKey (empty without PRIMARY KEY) and Options; column ids
// are 0. A literal DEFAULT has the value as it is written (BOOLEAN, TEXT, BYTES,
// BIGINT, other numbers as TEXT); the caller casts it to the column's type.
type CreateTable struct {
	Name        Name
	IfNotExists bool
	Table       kalam.Table
	ColumnPos   []int // Of each column.
	CronPos     int   // Of the line of FLUSH_CRON, which the caller checks.
	CronTZPos   int   // Of the zone of FLUSH_CRON_TZ, likewise.
	Given       OptionSet
	// As is the query of CREATE TABLE ... AS, whose results are the columns: Table has
	// none then, and Key names those of its PRIMARY KEY clause, if it has one.
	As     RawSQL
	Key    []Ident
	NoData bool // WITH NO DATA: the rows are left out.
	Params int
	Edits  sqltext.Edits
}

// AlterOp is the operation of an ALTER TABLE.
type AlterOp uint8

// The operations, with the fields of AlterTable that they use beside Name.
const (
	AlterAddColumn     AlterOp = iota + 1 // Def, Column, IfExists (IF NOT EXISTS).
	AlterDropColumn                       // Column, IfExists.
	AlterModifyColumn                     // Column, Def (name, type), Null.
	AlterRenameColumn                     // Column, To.
	AlterSetNotNull                       // Column.
	AlterDropNotNull                      // Column.
	AlterSetDefault                       // Column, Def (name, Default).
	AlterDropDefault                      // Column.
	AlterSetAccess                        // Options.Access.
	AlterSetProperties                    // Options, Given.
	AlterRenameTable                      // NewName.
	AlterComment                          // Column (no name: the table itself), Comment ("" takes it away).
)

// Nullability is what MODIFY COLUMN says about NULL.
type Nullability uint8

// The nullabilities.
const (
	NullUnchanged Nullability = iota
	NullAllowed
	NullRefused
)

// AlterTable is ALTER TABLE with one operation, or COMMENT ON. For Def the rules of
// CreateTable hold.
type AlterTable struct {
	Name      Name
	Kind      kalam.TableKind // The word before TABLE, 0 for none.
	Op        AlterOp
	Column    Ident
	To        Ident
	NewName   Name
	Comment   string
	Def       *kalam.Column
	Null      Nullability
	IfExists  bool
	Options   kalam.TableOptions
	Given     OptionSet
	CronPos   int // Of the line of FLUSH_CRON, which the caller checks.
	CronTZPos int // Of the zone of FLUSH_CRON_TZ, likewise.
}

// Operation returns the operation as messages name it, for instance "ADD
// COLUMN c TEXT" or "ALTER COLUMN c SET DEFAULT 0".
func (a *AlterTable) Operation() string {
	c := a.Column.Name
	switch a.Op {
	case AlterAddColumn:
		return "ADD COLUMN " + c + " " + a.Def.Type.String()
	case AlterDropColumn:
		return "DROP COLUMN " + c
	case AlterModifyColumn:
		return "MODIFY COLUMN " + c + " " + a.Def.Type.String()
	case AlterRenameColumn:
		return "RENAME COLUMN " + c + " TO " + a.To.Name
	case AlterSetNotNull:
		return "ALTER COLUMN " + c + " SET NOT NULL"
	case AlterDropNotNull:
		return "ALTER COLUMN " + c + " DROP NOT NULL"
	case AlterSetDefault:
		return "ALTER COLUMN " + c + " SET DEFAULT " + a.Def.Default.SQL
	case AlterDropDefault:
		return "ALTER COLUMN " + c + " DROP DEFAULT"
	case AlterSetAccess:
		return "SET ACCESS LEVEL " + a.Options.Access.String()
	case AlterRenameTable:
		return "RENAME TO " + a.NewName.Last()
	case AlterComment:
		if c == "" {
			return "COMMENT ON TABLE"
		}
		return "COMMENT ON COLUMN " + c
	case AlterSetProperties:
	}
	return "SET TBLPROPERTIES (" + strings.Join(a.Given.Texts(&a.Options), ", ") + ")"
}

// Texts returns the options of o that are in s, as WITH (...) and SET TBLPROPERTIES (...) take them.
func (s OptionSet) Texts(o *kalam.TableOptions) (list []string) {
	add := func(option OptionSet, format string, args ...any) {
		if s.Has(option) {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(OptionStorage, "STORAGE_ID = '%s'", o.StorageID)
	add(OptionUserStorage, "USE_USER_STORAGE = %t", o.UseUserStorage)
	rows, interval := fmt.Sprintf("rows:%d", o.FlushRows), fmt.Sprintf("interval:%d", int64(o.FlushInterval.Seconds()))
	switch {
	case s.Has(OptionFlushRows) && s.Has(OptionFlushInterval):
		add(OptionFlushRows, "FLUSH_POLICY = '%s,%s'", rows, interval)
	default:
		add(OptionFlushRows, "FLUSH_POLICY = '%s'", rows)
		add(OptionFlushInterval, "FLUSH_POLICY = '%s'", interval)
	}
	add(OptionFlushManual, "FLUSH_POLICY = 'manual'")
	add(OptionFlushCron, "FLUSH_CRON = '%s'", o.FlushCron)
	add(OptionFlushCronTZ, "FLUSH_CRON_TZ = '%s'", o.FlushCronTZ)
	add(OptionTTL, "TTL_SECONDS = %d", int64(o.TTL.Seconds()))
	add(OptionStreamBytes, "MAX_STREAM_SIZE_BYTES = %d", o.MaxStreamBytes)
	add(OptionAccess, "ACCESS_LEVEL = '%s'", strings.ToUpper(o.Access.String()))
	add(OptionShard, "SHARD_STRATEGY = '%s'", o.ShardStrategy)
	add(OptionRetention, "DELETED_RETENTION_HOURS = %d", o.DeletedRetentionHours)
	return list
}

// OptionsOf returns the options that differ from those of a table that gives none.
func OptionsOf(o *kalam.TableOptions) (s OptionSet) {
	for _, x := range []struct {
		given  bool
		option OptionSet
	}{
		{o.StorageID != "" && o.StorageID != kalam.LocalStorage, OptionStorage},
		{o.UseUserStorage, OptionUserStorage},
		{o.FlushRows > 0, OptionFlushRows},
		{o.FlushInterval > 0, OptionFlushInterval},
		{o.FlushManual, OptionFlushManual},
		{o.FlushCron != "", OptionFlushCron},
		{o.FlushCronTZ != "", OptionFlushCronTZ},
		{o.TTL > 0, OptionTTL},
		{o.MaxStreamBytes > 0, OptionStreamBytes},
		{o.Access != kalam.AccessPrivate, OptionAccess},
		{o.ShardStrategy != "", OptionShard},
		{o.DeletedRetentionHours > 0, OptionRetention},
	} {
		if x.given {
			s |= x.option
		}
	}
	return s
}

// DropTable is DROP TABLE.
type DropTable struct {
	Name     Name
	Kind     kalam.TableKind // The word before TABLE, 0 for none.
	IfExists bool
}

// MoveTable is ALTER TABLE t SET STORAGE id.
type MoveTable struct {
	Name    Name
	Kind    kalam.TableKind // The word before TABLE, 0 for none.
	Storage kalam.StorageID
	Pos     int // Of the storage.
}

// Verb returns "ALTER TABLE".
func (*MoveTable) Verb() string { return "ALTER TABLE" }

// Verb returns "CREATE TABLE".
func (*CreateTable) Verb() string { return "CREATE TABLE" }

// Verb returns "ALTER TABLE", or "COMMENT ON".
func (a *AlterTable) Verb() string {
	if a.Op == AlterComment {
		return "COMMENT ON"
	}
	return "ALTER TABLE"
}

// Verb returns "DROP TABLE".
func (*DropTable) Verb() string { return "DROP TABLE" }
