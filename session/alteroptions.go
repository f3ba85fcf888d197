package session

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
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
func (a *alteration) setOptions() (bool, error) {
	st, o := a.st, &a.next.Options
	given := st.Given
	if st.Op == ast.AlterSetAccess {
		given = ast.OptionAccess
	}
	if given.Has(ast.OptionStorage) {
		return false, kalam.Errorf(kalam.CodeInvalidOperation,
			"STORAGE_ID of a table is changed by ALTER TABLE %s SET STORAGE id, which moves its files",
			a.next.ID).At(st.Name.Pos)
	}
	for _, f := range fixedOptions {
		if given.Has(f.option) {
			return false, kalam.Errorf(kalam.CodeInvalidOperation,
				"%s of a table cannot be changed: its files lie where they were written", f.name).At(st.Name.Pos)
		}
	}
	if err := checkFlushCron(st.Options.FlushCron, st.CronPos); err != nil {
		return false, err
	}
	if given.Has(flushPolicy) {
		o.FlushRows, o.FlushInterval, o.FlushManual = st.Options.FlushRows, st.Options.FlushInterval,
			st.Options.FlushManual
		if o.FlushManual {
			o.FlushCron = ""
		}
	}
	if given.Has(ast.OptionFlushCron) {
		o.FlushCron, o.FlushManual = st.Options.FlushCron, false
	}
	if given.Has(ast.OptionTTL) {
		o.TTL = st.Options.TTL
	}
	if given.Has(ast.OptionAccess) {
		o.Access = st.Options.Access
	}
	if given.Has(ast.OptionRetention) {
		o.DeletedRetentionHours = st.Options.DeletedRetentionHours
	}
	a.note = withoutFlushOptions(&a.next)
	if a.next.Options == a.was.Options {
		return false, nil
	}
	// Nobody gives a table away: who may not alter it as it will be could not take it back.
	return true, a.session.Access.May(a.session.Principal, &a.next, access.Alter)
}
