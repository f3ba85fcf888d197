package schema

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/jobs"
)

// flushPolicy are the options that FLUSH_POLICY gives together: one that is given replaces all of them.
const flushPolicy = ast.OptionFlushRows | ast.OptionFlushInterval | ast.OptionFlushManual

// fixedOptions cannot be changed: files lie where these say.
var fixedOptions = []struct {
	option ast.OptionSet
	name   string
}{
	{ast.OptionUserStorage, "USE_USER_STORAGE"}, {ast.OptionShard, "SHARD_STRATEGY"},
}

// setOptions changes the options that the statement gives.
func (a *Alteration) setOptions() (bool, error) {
	st, o := a.st, &a.Next.Options
	given := st.Given
	if st.Op == ast.AlterSetAccess {
		given = ast.OptionAccess
	}
	if given.Has(ast.OptionStorage) {
		return false, kalam.Errorf(kalam.CodeInvalidOperation,
			"STORAGE_ID of a table is changed by ALTER TABLE %s SET STORAGE id, which moves its files",
			a.Next.ID).At(st.Name.Pos)
	}
	for _, f := range fixedOptions {
		if given.Has(f.option) {
			return false, kalam.Errorf(kalam.CodeInvalidOperation,
				"%s of a table cannot be changed: its files lie where they were written", f.name).At(st.Name.Pos)
		}
	}
	if given.Has(flushPolicy) {
		o.FlushRows, o.FlushInterval, o.FlushManual = st.Options.FlushRows, st.Options.FlushInterval,
			st.Options.FlushManual
		if o.FlushManual {
			o.FlushCron, o.FlushCronTZ = "", ""
		}
	}
	if given.Has(ast.OptionFlushCron) {
		o.FlushCron, o.FlushManual = st.Options.FlushCron, false
	}
	if given.Has(ast.OptionFlushCronTZ) {
		o.FlushCronTZ = st.Options.FlushCronTZ
	}
	if err := CheckFlushCron(o, st.CronPos, st.CronTZPos); err != nil {
		return false, err
	}
	if given.Has(ast.OptionTTL) {
		o.TTL = st.Options.TTL
	}
	if given.Has(ast.OptionStreamBytes) {
		o.MaxStreamBytes = st.Options.MaxStreamBytes
	}
	if given.Has(ast.OptionAccess) {
		o.Access = st.Options.Access
	}
	if given.Has(ast.OptionRetention) {
		o.DeletedRetentionHours = st.Options.DeletedRetentionHours
	}
	a.Note = WithoutFlushOptions(&a.Next)
	if a.Next.Options == a.was.Options {
		return false, nil
	}
	// Nobody gives a table away: who may not alter it as it will be could not take it back.
	return true, a.session.MayAlter(&a.Next)
}

// CheckFlushCron refuses a FLUSH_CRON, "" for none, that names no times, and a FLUSH_CRON_TZ
// that is no time zone or that no FLUSH_CRON goes with. The positions are theirs in the statement.
func CheckFlushCron(o *kalam.TableOptions, pos, zonePos int) error {
	zone, err := jobs.ParseZone(o.FlushCronTZ)
	switch {
	case err != nil:
		return kalam.Errorf(kalam.CodeInvalidSQL, "FLUSH_CRON_TZ: %s", err).At(zonePos)
	case o.FlushCron == "" && o.FlushCronTZ != "":
		return kalam.Errorf(kalam.CodeInvalidSQL,
			"FLUSH_CRON_TZ is the time zone of FLUSH_CRON, which the table does not have; give FLUSH_CRON, too").At(zonePos)
	case o.FlushCron == "":
		return nil
	}
	if _, err := jobs.ParseScheduleIn(o.FlushCron, zone); err != nil {
		return kalam.Errorf(kalam.CodeInvalidSQL, "FLUSH_CRON: %s", err).At(pos)
	}
	return nil
}

// WithoutFlushOptions takes away the flush options of a table whose rows are not
// flushed, and returns what the answer says about it, "" when there were none.
func WithoutFlushOptions(t *kalam.Table) string {
	o := &t.Options
	if t.Flushable() || !o.FlushManual && o.FlushRows == 0 && o.FlushInterval == 0 && o.FlushCron == "" &&
		o.FlushCronTZ == "" {
		return ""
	}
	o.FlushManual, o.FlushRows, o.FlushInterval, o.FlushCron, o.FlushCronTZ = false, 0, 0, "", ""
	return ". FLUSH_POLICY has no effect: rows of a STREAM table are not flushed, they live for TTL_SECONDS"
}
