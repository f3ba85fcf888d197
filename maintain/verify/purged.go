package verify

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/remains"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/maintain/purge"
)

// purged checks that nothing is left of the users that purge jobs removed, as far as the records of
// those jobs are kept. A user of the same id that was created since is another one: later seqs tell.
func (v *verifier) purged(ctx context.Context) error {
	last := map[kalam.UserID]kalam.Seq{}
	for j, err := range v.Catalog.Jobs(ctx) {
		if err != nil {
			return fmt.Errorf("read the records of jobs: %w", err)
		}
		var r purge.Report
		if j.Kind != purge.Kind || j.Status != kalam.JobCompleted || json.Unmarshal([]byte(j.Result), &r) != nil {
			continue // A result that is none tells of a job that removed nothing.
		}
		if r.Removed {
			last[r.User] = max(last[r.User], r.LastSeq)
		}
	}
	for user, seq := range last {
		v.result.Purged++
		if err := v.checkPurged(ctx, user, seq); err != nil {
			return fmt.Errorf("user '%s', who was removed: %w", user, err)
		}
	}
	return nil
}

// checkPurged looks for what is left of a user up to a seq.
func (v *verifier) checkPurged(ctx context.Context, user kalam.UserID, seq kalam.Seq) error {
	scopes, err := remains.Of(ctx, v.Backend, user)
	if err != nil {
		return err
	}
	for _, sc := range scopes {
		first, there, err := remains.FirstSeq(ctx, v.Backend, sc)
		if err != nil {
			return err
		}
		if there && first <= seq {
			v.problem(KindUser, "table %d: rows of user '%s', who was removed, are in the write buffer", sc.Table, user)
		}
	}
	tables := v.Catalog.Tables("")
	var numbers []kalam.TableNumber
	for _, t := range tables {
		numbers = append(numbers, t.Number)
	}
	if len(scopes) == 0 {
		values, err := remains.Versions(ctx, v.Backend, user, numbers)
		if err != nil {
			return err
		}
		if values > 0 {
			v.problem(KindUser, "%d deleted values of user '%s', who was removed, are in the files of the write buffer",
				values, user)
		}
	}
	for _, id := range v.Lake.Storages() {
		if v.silent[id] {
			continue
		}
		files, err := v.Lake.UserFiles(ctx, id, user, tables)
		if err != nil {
			return fmt.Errorf("list the storage '%s': %w", id, err)
		}
		for _, f := range files {
			_, owner := layout.Classify(f.Path)
			if s := layout.SeqOfName(owner); s != 0 && s <= seq || s == 0 && len(scopes) == 0 {
				v.problem(KindUser, "%s: it is a file of user '%s', who was removed", f.Path, user)
			}
		}
	}
	return nil
}
