package tableopts

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// Bounds of table options.
const (
	maxFlushRows    = 999999
	maxFlushSeconds = 86399
	maxStreamBytes  = 1 << 50
	maxTTLSeconds   = 10 * 365 * 24 * 3600
)

// MaxRetentionHours is the longest time that deleted rows are kept.
const MaxRetentionHours = 100 * 365 * 24

// Set gathers the table options of a statement, from WITH (...) and from clauses alike. The zero Set holds none.
type Set struct {
	Kind    kalam.TableKind // Of TYPE.
	Table   kalam.TableOptions
	Given   ast.OptionSet
	CronPos int // Of the value of FLUSH_CRON.
	ZonePos int // Of the value of FLUSH_CRON_TZ.
}

// Put stores the value, as text, of an option under the name that messages use. pos is the place of the option and at
// that of the value. Errors have a position: a value out of bounds, or another than was given before.
func (o *Set) Put(name string, pos, at int, value string) error {
	switch name {
	case "TYPE":
		return o.setKind(at, value)
	case "STORAGE_ID":
		id := kalam.StorageID(sqltext.Fold(value))
		if err := kalam.CheckIdentifier("storage", string(id)); err != nil {
			return kalam.Positioned(err, at)
		}
		return set(o, ast.OptionStorage, name, pos, &o.Table.StorageID, kalam.StorageID(strings.Clone(string(id))))
	case "USE_USER_STORAGE":
		return o.setBool(at, value)
	case "FLUSH_POLICY":
		return o.setPolicy(at, value)
	case "FLUSH ROWS":
		return o.setRows(at, value)
	case "FLUSH INTERVAL":
		return o.setInterval(at, value)
	case "FLUSH_CRON":
		return o.setCron(at, value)
	case "FLUSH_CRON_TZ":
		return o.setCronTZ(at, value)
	case "TTL_SECONDS":
		return o.setSeconds(at, value)
	case "MAX_STREAM_SIZE_BYTES":
		n, err := bounded(at, name, value, "", maxStreamBytes)
		if err != nil {
			return err
		}
		return set(o, ast.OptionStreamBytes, name, pos, &o.Table.MaxStreamBytes, n)
	case "ACCESS_LEVEL":
		access, err := kalam.ParseAccessLevel(sqltext.Fold(sqltext.Short(value)))
		if err != nil {
			return kalam.Positioned(err, at)
		}
		return set(o, ast.OptionAccess, name, pos, &o.Table.Access, access)
	case "SHARD_STRATEGY":
		strategy := sqltext.Fold(value)
		if err := kalam.CheckIdentifier("shard strategy", strategy); err != nil {
			return kalam.Positioned(err, at)
		}
		return set(o, ast.OptionShard, name, pos, &o.Table.ShardStrategy, strings.Clone(strategy))
	}
	hours, err := bounded(at, name, value, "", MaxRetentionHours)
	if err != nil {
		return err
	}
	return set(o, ast.OptionRetention, name, pos, &o.Table.DeletedRetentionHours, int(hours))
}

// set stores a value of an option; a second one must be equal.
func set[T comparable](o *Set, bit ast.OptionSet, name string, pos int, target *T, value T) error {
	if o.Given.Has(bit) && *target != value {
		return syntaxError(pos, "Table option '%s' is given twice with different values", name)
	}
	o.Given |= bit
	*target = value
	return nil
}

func (o *Set) setKind(pos int, value string) error {
	var kind kalam.TableKind
	switch sqltext.Fold(sqltext.Short(value)) {
	case "user":
		kind = kalam.KindUserTable
	case "shared":
		kind = kalam.KindSharedTable
	case "stream":
		kind = kalam.KindStreamTable
	default:
		return syntaxError(pos, "Unknown table type '%s' (expected USER, SHARED or STREAM)", sqltext.Short(value))
	}
	return set(o, ast.OptionType, "TYPE", pos, &o.Kind, kind)
}

func (o *Set) setBool(pos int, value string) error {
	yes := sqltext.IsWord(value, "TRUE")
	if !yes && !sqltext.IsWord(value, "FALSE") {
		return syntaxError(pos, "USE_USER_STORAGE must be TRUE or FALSE, got '%s'", sqltext.Short(value))
	}
	return set(o, ast.OptionUserStorage, "USE_USER_STORAGE", pos, &o.Table.UseUserStorage, yes)
}

func (o *Set) setSeconds(pos int, value string) error {
	n, err := bounded(pos, "TTL_SECONDS", value, "s", maxTTLSeconds)
	if err != nil {
		return err
	}
	return set(o, ast.OptionTTL, "TTL_SECONDS", pos, &o.Table.TTL, time.Duration(n)*time.Second)
}

func (o *Set) setRows(pos int, value string) error {
	n, err := bounded(pos, "Flush rows", value, "", maxFlushRows)
	if err != nil {
		return err
	}
	if o.Given.Has(ast.OptionFlushManual) {
		return manualConflict(pos)
	}
	return set(o, ast.OptionFlushRows, "FLUSH_POLICY rows", pos, &o.Table.FlushRows, int(n))
}

func (o *Set) setInterval(pos int, value string) error {
	n, err := bounded(pos, "Flush interval", value, "s", maxFlushSeconds)
	if err != nil {
		return err
	}
	if o.Given.Has(ast.OptionFlushManual) {
		return manualConflict(pos)
	}
	return set(o, ast.OptionFlushInterval, "FLUSH_POLICY interval", pos, &o.Table.FlushInterval,
		time.Duration(n)*time.Second)
}

func manualConflict(pos int) error {
	return syntaxError(pos, "Table option 'FLUSH_POLICY' is given twice with different values")
}

// setCron takes a schedule, of which package jobs knows the form.
func (o *Set) setCron(pos int, value string) error {
	value = strings.TrimSpace(value)
	if value == "" {
		return syntaxError(pos, "FLUSH_CRON is empty (expected for instance '0 3 * * *' or '@every 10m')")
	}
	if o.Given.Has(ast.OptionFlushManual) {
		return cronConflict(pos)
	}
	o.CronPos = pos
	return set(o, ast.OptionFlushCron, "FLUSH_CRON", pos, &o.Table.FlushCron, strings.Clone(value))
}

// setCronTZ takes the name of a time zone, which package jobs finds.
func (o *Set) setCronTZ(pos int, value string) error {
	value = strings.TrimSpace(value)
	if value == "" {
		return syntaxError(pos, "FLUSH_CRON_TZ is empty (expected for instance 'Europe/Berlin')")
	}
	if o.Given.Has(ast.OptionFlushManual) {
		return cronConflict(pos)
	}
	o.ZonePos = pos
	return set(o, ast.OptionFlushCronTZ, "FLUSH_CRON_TZ", pos, &o.Table.FlushCronTZ, strings.Clone(value))
}

func cronConflict(pos int) error {
	return syntaxError(pos,
		"FLUSH_CRON and FLUSH_POLICY 'manual' exclude each other: the second means no automatic flush")
}

// setPolicy reads 'rows:N', 'interval:S', both with a comma, or 'manual'.
func (o *Set) setPolicy(pos int, value string) error {
	if sqltext.IsWord(strings.TrimSpace(value), "MANUAL") {
		if o.Given.Has(ast.OptionFlushRows | ast.OptionFlushInterval) {
			return manualConflict(pos)
		}
		if o.Given.Has(ast.OptionFlushCron | ast.OptionFlushCronTZ) {
			return cronConflict(pos)
		}
		return set(o, ast.OptionFlushManual, "FLUSH_POLICY", pos, &o.Table.FlushManual, true)
	}
	if strings.Count(value, ",") > 1 {
		return policyError(pos, value)
	}
	for _, part := range strings.Split(value, ",") {
		key, number, ok := strings.Cut(part, ":")
		key, number = strings.TrimSpace(key), strings.TrimSpace(number)
		var err error
		switch {
		case !ok:
			err = policyError(pos, value)
		case sqltext.IsWord(key, "ROWS"):
			err = o.setRows(pos, number)
		case sqltext.IsWord(key, "INTERVAL"):
			err = o.setInterval(pos, number)
		default:
			err = syntaxError(pos, "Unknown FLUSH_POLICY key '%s'", sqltext.Short(key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func policyError(pos int, value string) error {
	return syntaxError(pos,
		"Invalid FLUSH_POLICY '%s' (expected 'rows:N', 'interval:S', 'rows:N,interval:S' or 'manual')",
		sqltext.Short(value))
}

// bounded returns the integer in value, which may end with unit, if it is from
// 1 to most.
func bounded(pos int, what, value, unit string, most int64) (int64, error) {
	digits := value
	if unit != "" && len(value) > 0 && strings.EqualFold(value[len(value)-1:], unit) {
		digits = strings.TrimRight(value[:len(value)-1], " ")
	}
	n, err := strconv.ParseInt(sqltext.WithoutUnderscores(digits), 10, 64)
	if err != nil {
		n = math.MinInt64
	}
	if n < 1 || n > most {
		seconds := ""
		if unit == "s" {
			seconds = " seconds"
		}
		return 0, syntaxError(pos, "%s must be between 1 and %d%s, got '%s'", what, most, seconds, sqltext.Short(value))
	}
	return n, nil
}

func syntaxError(pos int, format string, args ...any) error {
	return kalam.Errorf(kalam.CodeInvalidSQL, format, args...).At(pos)
}
