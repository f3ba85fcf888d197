package dialect

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
	maxFlushRows     = 999999
	maxFlushSeconds  = 86399
	maxStreamBytes   = 1 << 50
	maxTTLSeconds    = 10 * 365 * 24 * 3600
	maxRetentionHour = 100 * 365 * 24
)

// options gathers the table options of a statement, from WITH (...) and from
// clauses alike.
type options struct {
	kind    kalam.TableKind // Of TYPE.
	table   kalam.TableOptions
	given   ast.OptionSet
	cronPos int // Of the value of FLUSH_CRON.
	zonePos int // Of the value of FLUSH_CRON_TZ.
}

// optionKeys maps the spellings of options to the one that messages use.
var optionKeys = map[string]string{
	"TYPE": "TYPE", "STORAGE": "STORAGE_ID", "STORAGE_ID": "STORAGE_ID", "USE_USER_STORAGE": "USE_USER_STORAGE",
	"FLUSH_POLICY": "FLUSH_POLICY", "FLUSH_ROWS": "FLUSH ROWS", "FLUSH_INTERVAL": "FLUSH INTERVAL",
	"FLUSH_CRON": "FLUSH_CRON", "FLUSH_CRON_TZ": "FLUSH_CRON_TZ",
	"TTL": "TTL_SECONDS", "TTL_SECONDS": "TTL_SECONDS",
	"MAX_STREAM_SIZE_BYTES": "MAX_STREAM_SIZE_BYTES", "ACCESS": "ACCESS_LEVEL", "ACCESS_LEVEL": "ACCESS_LEVEL",
	"SHARD_STRATEGY": "SHARD_STRATEGY", "DELETED_RETENTION_HOURS": "DELETED_RETENTION_HOURS",
}

// option consumes one `key [=] value` of CREATE TABLE.
func (p *parser) option(o *options) error {
	if p.tok.Kind != sqltext.Word {
		return p.unexpected("a table option")
	}
	pos, key := p.tok.Pos, p.words(1)
	p.advance()
	switch {
	case key == "FLUSH" && p.isAny(" ROWS INTERVAL POLICY CRON "):
		key += "_" + p.words(1)
		p.advance()
	case key == "ACCESS" && p.is("LEVEL"):
		p.advance()
	}
	name, ok := optionKeys[key]
	switch {
	case ok:
		equals := p.acceptOp("=")
		return p.optionValue(o, name, pos, equals)
	case key == "TABLE_TYPE":
		return syntaxError(pos,
			"TABLE_TYPE is not supported. Use CREATE USER TABLE, CREATE SHARED TABLE or CREATE STREAM TABLE.")
	case key == "OWNER_ID":
		return syntaxError(pos, "OWNER_ID is not supported. A USER table belongs to each user who writes to it.")
	}
	return syntaxError(pos, "Unknown table option '%s'", key)
}

// optionValue consumes the value of the option called name and stores it.
func (p *parser) optionValue(o *options, name string, pos int, equals bool) error {
	if name == "USE_USER_STORAGE" && !equals && !p.is("TRUE") && !p.is("FALSE") && !p.isString() {
		return o.setBool(pos, "TRUE")
	}
	at := p.tok.Pos
	switch {
	case name == "FLUSH_CRON" && !p.isString():
		return p.unexpected("a schedule in quotes for FLUSH_CRON")
	case name == "FLUSH_CRON_TZ" && !p.isString():
		return p.unexpected("the name of a time zone in quotes for FLUSH_CRON_TZ")
	}
	value, err := p.optionText(name)
	if err != nil {
		return err
	}
	switch name {
	case "TYPE":
		return o.setKind(at, value)
	case "STORAGE_ID":
		id := kalam.StorageID(sqltext.Fold(value))
		if err := kalam.CheckIdentifier("storage", string(id)); err != nil {
			return located(err, at)
		}
		return set(o, ast.OptionStorage, name, pos, &o.table.StorageID, kalam.StorageID(strings.Clone(string(id))))
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
		return set(o, ast.OptionStreamBytes, name, pos, &o.table.MaxStreamBytes, n)
	case "ACCESS_LEVEL":
		access, err := kalam.ParseAccessLevel(sqltext.Fold(sqltext.Short(value)))
		if err != nil {
			return located(err, at)
		}
		return set(o, ast.OptionAccess, name, pos, &o.table.Access, access)
	case "SHARD_STRATEGY":
		strategy := sqltext.Fold(value)
		if err := kalam.CheckIdentifier("shard strategy", strategy); err != nil {
			return located(err, at)
		}
		return set(o, ast.OptionShard, name, pos, &o.table.ShardStrategy, strings.Clone(strategy))
	}
	hours, err := bounded(at, name, value, "", maxRetentionHour)
	if err != nil {
		return err
	}
	return set(o, ast.OptionRetention, name, pos, &o.table.DeletedRetentionHours, int(hours))
}

// optionText consumes the value of an option: a string, a number with an
// optional unit s, or a word.
func (p *parser) optionText(name string) (string, error) {
	switch {
	case p.isString():
		return p.stringText()
	case p.isOp("-"), p.isOp("+"):
		sign := p.text(p.tok)
		if t := p.peek(); t.Kind == sqltext.Number {
			p.advance()
			p.advance()
			return sign + p.text(t), nil
		}
	case p.tok.Kind == sqltext.Number:
		s := p.text(p.tok)
		end := p.tok.End
		p.advance()
		if p.is("S") && p.tok.Pos == end {
			p.advance()
			s += "s"
		}
		return s, nil
	case p.tok.Kind == sqltext.Word, p.tok.Kind == sqltext.Quoted, p.tok.Kind == sqltext.Backtick:
		s := p.text(p.tok)
		if p.tok.Kind != sqltext.Word {
			s = sqltext.UnquoteIdent(s)
		}
		p.advance()
		return s, nil
	}
	return "", p.unexpected("a value for " + name)
}

// set stores a value of an option; a second one must be equal.
func set[T comparable](o *options, bit ast.OptionSet, name string, pos int, target *T, value T) error {
	if o.given.Has(bit) && *target != value {
		return syntaxError(pos, "Table option '%s' is given twice with different values", name)
	}
	o.given |= bit
	*target = value
	return nil
}

func (o *options) setKind(pos int, value string) error {
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
	return set(o, ast.OptionType, "TYPE", pos, &o.kind, kind)
}

func (o *options) setBool(pos int, value string) error {
	yes := sqltext.IsWord(value, "TRUE")
	if !yes && !sqltext.IsWord(value, "FALSE") {
		return syntaxError(pos, "USE_USER_STORAGE must be TRUE or FALSE, got '%s'", sqltext.Short(value))
	}
	return set(o, ast.OptionUserStorage, "USE_USER_STORAGE", pos, &o.table.UseUserStorage, yes)
}

func (o *options) setSeconds(pos int, value string) error {
	n, err := bounded(pos, "TTL_SECONDS", value, "s", maxTTLSeconds)
	if err != nil {
		return err
	}
	return set(o, ast.OptionTTL, "TTL_SECONDS", pos, &o.table.TTL, time.Duration(n)*time.Second)
}

func (o *options) setRows(pos int, value string) error {
	n, err := bounded(pos, "Flush rows", value, "", maxFlushRows)
	if err != nil {
		return err
	}
	if o.given.Has(ast.OptionFlushManual) {
		return manualConflict(pos)
	}
	return set(o, ast.OptionFlushRows, "FLUSH_POLICY rows", pos, &o.table.FlushRows, int(n))
}

func (o *options) setInterval(pos int, value string) error {
	n, err := bounded(pos, "Flush interval", value, "s", maxFlushSeconds)
	if err != nil {
		return err
	}
	if o.given.Has(ast.OptionFlushManual) {
		return manualConflict(pos)
	}
	return set(o, ast.OptionFlushInterval, "FLUSH_POLICY interval", pos, &o.table.FlushInterval,
		time.Duration(n)*time.Second)
}

func manualConflict(pos int) error {
	return syntaxError(pos, "Table option 'FLUSH_POLICY' is given twice with different values")
}

// setCron takes a schedule, of which package jobs knows the form.
func (o *options) setCron(pos int, value string) error {
	value = strings.TrimSpace(value)
	if value == "" {
		return syntaxError(pos, "FLUSH_CRON is empty (expected for instance '0 3 * * *' or '@every 10m')")
	}
	if o.given.Has(ast.OptionFlushManual) {
		return cronConflict(pos)
	}
	o.cronPos = pos
	return set(o, ast.OptionFlushCron, "FLUSH_CRON", pos, &o.table.FlushCron, strings.Clone(value))
}

// setCronTZ takes the name of a time zone, which package jobs finds.
func (o *options) setCronTZ(pos int, value string) error {
	value = strings.TrimSpace(value)
	if value == "" {
		return syntaxError(pos, "FLUSH_CRON_TZ is empty (expected for instance 'Europe/Berlin')")
	}
	if o.given.Has(ast.OptionFlushManual) {
		return cronConflict(pos)
	}
	o.zonePos = pos
	return set(o, ast.OptionFlushCronTZ, "FLUSH_CRON_TZ", pos, &o.table.FlushCronTZ, strings.Clone(value))
}

func cronConflict(pos int) error {
	return syntaxError(pos,
		"FLUSH_CRON and FLUSH_POLICY 'manual' exclude each other: the second means no automatic flush")
}

// setPolicy reads 'rows:N', 'interval:S', both with a comma, or 'manual'.
func (o *options) setPolicy(pos int, value string) error {
	if sqltext.IsWord(strings.TrimSpace(value), "MANUAL") {
		if o.given.Has(ast.OptionFlushRows | ast.OptionFlushInterval) {
			return manualConflict(pos)
		}
		if o.given.Has(ast.OptionFlushCron | ast.OptionFlushCronTZ) {
			return cronConflict(pos)
		}
		return set(o, ast.OptionFlushManual, "FLUSH_POLICY", pos, &o.table.FlushManual, true)
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
	n, err := strconv.ParseInt(plainInteger(digits), 10, 64)
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
