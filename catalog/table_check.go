package catalog

import (
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// Bounds of the flush policy.
const (
	MaxFlushInterval = 86399 * time.Second
	MaxFlushRows     = 999999
	MaxFlushCron     = 200 // Bytes of the line.
)

// MaxComment is the length of a comment, in bytes.
const MaxComment = 4096

// reservedColumns are names that the server uses itself, now or for clients.
var reservedColumns = map[string]bool{
	"_seq": true, "_deleted": true, "_id": true, "_row_id": true, "_rowid": true, "_key": true,
	"_updated": true, "_created": true,
	"_timestamp": true, "_version": true, "_hash": true,
}

// IsReservedColumn reports whether no table may have a column named name (lower case).
func IsReservedColumn(name string) bool { return reservedColumns[name] }

func invalid(format string, args ...any) error {
	return kalam.Errorf(kalam.CodeInvalidOperation, format, args...)
}

// checkTable refuses a definition that breaks a rule of CREATE TABLE, and makes
// the columns of the primary key NOT NULL.
func checkTable(t *kalam.Table) error {
	if t.Kind < kalam.KindUserTable || t.Kind > kalam.KindStreamTable {
		return invalid("table %s has no kind", t.ID)
	}
	if err := kalam.CheckIdentifier("namespace", string(t.ID.Namespace)); err != nil {
		return err
	}
	if err := kalam.CheckIdentifier("table", string(t.ID.Name)); err != nil {
		return err
	}
	if err := checkColumns(t); err != nil {
		return err
	}
	if err := checkPrimaryKey(t); err != nil {
		return err
	}
	if len(t.Comment) > MaxComment {
		return longComment()
	}
	return checkOptions(t)
}

func longComment() error { return invalid("a comment is longer than %d bytes", MaxComment) }

func checkColumns(t *kalam.Table) error {
	seen := make(map[string]bool, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		if IsReservedColumn(c.Name) {
			return invalid("Column name '%s' is reserved", c.Name)
		}
		if err := kalam.CheckIdentifier("column", c.Name); err != nil {
			return err
		}
		if seen[c.Name] {
			return invalid("Column '%s' is defined twice", c.Name)
		}
		seen[c.Name] = true
		if len(c.Comment) > MaxComment {
			return longComment()
		}
		if !c.Type.Kind.IsColumn() {
			return invalid("Column '%s' has no type", c.Name)
		}
		if d := c.Type; d.Kind == kalam.KindDecimal && (d.Precision < 1 || d.Precision > kalam.MaxDecimalPrecision ||
			d.Scale > d.Precision) {
			return invalid("Column '%s': DECIMAL(%d,%d) needs a precision of 1 to %d and a scale up to it",
				c.Name, d.Precision, d.Scale, kalam.MaxDecimalPrecision)
		}
	}
	return nil
}

func checkPrimaryKey(t *kalam.Table) error {
	if t.HasHiddenKey() && t.Kind.NeedsKey() {
		kind := t.Kind.String()
		return invalid("%s tables require a PRIMARY KEY column", strings.ToUpper(kind[:1])+kind[1:])
	}
	used := make(map[int]bool, len(t.PrimaryKey))
	for _, i := range t.PrimaryKey {
		if i < 0 || i >= len(t.Columns) || used[i] {
			return invalid("PRIMARY KEY of table %s names a column twice or one that does not exist", t.ID)
		}
		used[i] = true
		c := &t.Columns[i]
		if !c.Type.Kind.CanBeKey() {
			var names []string
			for _, kind := range kalam.KeyKinds() {
				names = append(names, kind.String())
			}
			return invalid("PRIMARY KEY column '%s' must be BIGINT or TEXT, got %s (possible types: %s)", c.Name,
				c.Type, strings.Join(names, ", "))
		}
		c.NotNull = true
	}
	return nil
}

func checkOptions(t *kalam.Table) error {
	o := &t.Options
	switch {
	case o.FlushInterval != 0 && (o.FlushInterval < time.Second || o.FlushInterval > MaxFlushInterval):
		return invalid("flush interval must be 1 to %d seconds", int(MaxFlushInterval/time.Second))
	case o.FlushRows < 0 || o.FlushRows > MaxFlushRows:
		return invalid("flush rows must be 1 to %d", MaxFlushRows)
	case o.FlushManual && (o.FlushInterval != 0 || o.FlushRows != 0):
		return invalid("FLUSH_POLICY 'manual' cannot be combined with an interval or a number of rows")
	case o.FlushManual && o.FlushCron != "":
		return invalid("FLUSH_POLICY 'manual' cannot be combined with FLUSH_CRON")
	case len(o.FlushCron) > MaxFlushCron:
		return invalid("FLUSH_CRON is longer than %d bytes", MaxFlushCron)
	case o.FlushCronTZ != "" && o.FlushCron == "":
		return invalid("FLUSH_CRON_TZ is the time zone of FLUSH_CRON, which the table does not have")
	case len(o.FlushCronTZ) > kalam.MaxIdentifier:
		return invalid("FLUSH_CRON_TZ is longer than %d bytes", kalam.MaxIdentifier)
	case t.Kind == kalam.KindStreamTable && o.TTL <= 0:
		return invalid("STREAM tables require TTL_SECONDS")
	case t.Kind != kalam.KindStreamTable && o.TTL != 0:
		return invalid("TTL_SECONDS is only valid for STREAM tables")
	case t.Kind != kalam.KindStreamTable && o.MaxStreamBytes != 0, o.MaxStreamBytes < 0:
		return invalid("MAX_STREAM_SIZE_BYTES is only valid for STREAM tables, and above 0")
	case t.Kind != kalam.KindSharedTable && o.Access != kalam.AccessPrivate:
		return invalid("ACCESS_LEVEL is only valid for SHARED tables")
	case o.Access > kalam.AccessDBA:
		return invalid("table %s has no valid access level", t.ID)
	case t.Kind != kalam.KindUserTable && o.UseUserStorage:
		return invalid("USE_USER_STORAGE is only valid for USER tables")
	case o.DeletedRetentionHours < 0:
		return invalid("DELETED_RETENTION_HOURS must not be negative")
	}
	return nil
}
