package purge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/remains"
	"github.com/kalamlake/kalam/jobs"
)

const (
	// readersWait is how long a try waits for who still uses the scopes of a user.
	readersWait = 10 * time.Second
	// readersPause is how often it looks.
	readersPause = 10 * time.Millisecond
)

// removal is one try of the removal of a user.
type removal struct {
	*Purger
	handle *jobs.Handle
	user   kalam.UserID
	tables []*kalam.Table // Of which the user may have rows.
	scopes []kalam.Scope  // What the buffer had of the user when the try began.
	report Report
}

// run removes the user of a job.
func (p *Purger) run(ctx context.Context, h *jobs.Handle) error {
	job := h.Job()
	user, err := UserOf(&job)
	if err != nil {
		return jobs.Permanent(err)
	}
	r := &removal{Purger: p, handle: h, user: user, report: Report{User: user}}
	if job.Result != "" {
		if err := json.Unmarshal([]byte(job.Result), &r.report); err != nil {
			return jobs.Permanent(fmt.Errorf("result of job %s: %w", job.ID, err))
		}
	}
	if !p.Catalog.IsPurging(user) {
		begun, err := p.Catalog.BeginPurge(ctx, user, p.Now().Add(-p.Grace))
		if err != nil {
			return fmt.Errorf("begin the removal of user '%s': %w", user, err)
		}
		if !begun {
			return jobs.Skip(fmt.Sprintf("User '%s' was restored, or is removed already", user))
		}
	}
	if p.Pair.Restored() {
		return jobs.Permanent(kalam.Errorf(kalam.CodeInvalidOperation,
			"nothing of user '%s' is removed: the write buffer is older than the storage, whose files newer copies of "+
				"the buffer may name; restore the newest copy first", user))
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"wait for readers", r.bar},
		{"remove files", r.removeFiles},
		{"remove buffered rows", r.removeRows},
		{"remove exports", r.removeExports},
		{"clear the record of the user", func(ctx context.Context) error { return p.Catalog.StripUser(ctx, user) }},
		{"rewrite the write buffer", p.Pair.Purge},
		{"look for what is left", r.check},
		{"remove the user", r.finish},
	} {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h.SetProgress(step.name)
		if err := errors.Join(step.do(ctx), r.note()); err != nil {
			return fmt.Errorf("%s of user '%s': %w", step.name, user, err)
		}
	}
	return nil
}

// note keeps the report for the next try.
func (r *removal) note() error {
	text, err := json.Marshal(r.report)
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	message := fmt.Sprintf("Removing user '%s'", r.user)
	if r.report.Removed {
		message = fmt.Sprintf("Removed user '%s': rows of %d table(s), %d file(s) with %d bytes in %d storage(s), %d export(s)",
			r.user, r.report.Tables, r.report.Files, r.report.Bytes, len(r.report.Storages), r.report.Exports)
	}
	r.handle.SetResult(string(text), message)
	return nil
}

// bar ends the use of the user's scopes, and waits, but not without an end, for who uses them.
func (r *removal) bar(ctx context.Context) error {
	if err := r.Purger.bar(ctx, r.user); err != nil {
		return err
	}
	if r.Forget != nil {
		r.Forget(r.user)
	}
	wait, cancel := context.WithTimeout(ctx, readersWait)
	defer cancel()
	look := time.NewTicker(readersPause)
	defer look.Stop()
	for {
		who := r.busy(r.user)
		if who == "" {
			break
		}
		r.handle.SetProgress("wait for readers: " + who)
		select {
		case <-look.C:
		case <-wait.Done():
			return kalam.Errorf(kalam.CodeConflict, "%s; it is tried again", who)
		}
	}
	r.tables = r.tablesOfUsers()
	r.report.LastSeq = max(r.report.LastSeq, r.Store.Clock().Last())
	var err error
	r.scopes, err = remains.Of(ctx, r.Pair.Backend, r.user)
	r.report.Tables = max(r.report.Tables, len(r.scopes))
	return err
}

// tablesOfUsers lists the tables in which users have rows, those that were dropped included.
func (r *removal) tablesOfUsers() (list []*kalam.Table) {
	for _, t := range r.Catalog.Tables("") {
		if t.HasScopePerUser() {
			list = append(list, t)
		}
	}
	for _, d := range r.Catalog.Dropped() {
		if d.Table.HasScopePerUser() {
			list = append(list, d.Table)
		}
	}
	return list
}

// removeFiles removes whatever is in folders of the user, and what the manifests of record name
// elsewhere, where an older template led. The manifests stay until the files are gone.
func (r *removal) removeFiles(ctx context.Context) error {
	if err := r.Pair.Sync(ctx); err != nil { // A power cut must not bring back who names the files.
		return err
	}
	for _, id := range r.Lake.Storages() {
		done, err := r.Lake.RemoveUser(ctx, id, r.user, r.tables)
		r.report.Files += done.Files
		r.report.Bytes += done.Bytes
		if err != nil {
			return fmt.Errorf("storage '%s': %w", id, err)
		}
		if name := string(id); !slices.Contains(r.report.Storages, name) {
			r.report.Storages = append(r.report.Storages, name)
		}
	}
	for _, sc := range r.scopes {
		m, err := r.Store.ScopeRecord(ctx, sc)
		if err != nil {
			// What it names is found by the folder, unless a template was changed since.
			r.Logger.Error("a manifest of a user that is removed cannot be read", "user", string(r.user), "error", err)
			r.report.Damaged++
			continue
		}
		for i := range m.Segments {
			if err := r.Lake.Remove(ctx, &m.Segments[i]); err != nil {
				return fmt.Errorf("remove %s: %w", m.Segments[i].Path, err)
			}
		}
	}
	return nil
}

// removeRows removes what the write buffer has of the user.
func (r *removal) removeRows(ctx context.Context) error {
	for _, sc := range r.scopes {
		n, err := r.Store.RemoveScope(ctx, sc)
		r.report.Keys += n
		if err != nil {
			return fmt.Errorf("table %d: %w", sc.Table, err)
		}
	}
	return r.Pair.Sync(ctx)
}

// removeExports removes the user's exports.
func (r *removal) removeExports(ctx context.Context) error {
	if r.Exports == nil {
		return nil
	}
	n, err := r.Exports(ctx, r.user)
	r.report.Exports += n
	return err
}

// check finds what is left of the user. Something is when a read that began before held it.
func (r *removal) check(ctx context.Context) error {
	found, err := remains.Of(ctx, r.Pair.Backend, r.user)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return kalam.Errorf(kalam.CodeConflict, "table %d has rows again; it is tried again", found[0].Table)
	}
	values, err := remains.Versions(ctx, r.Pair.Backend, r.user, r.numbers())
	if err != nil {
		return err
	}
	if values > 0 {
		return kalam.Errorf(kalam.CodeConflict,
			"%d deleted values are still in the files of the write buffer, for a read that is running; it is tried again", values)
	}
	for _, id := range r.Lake.Storages() {
		files, err := r.Lake.UserFiles(ctx, id, r.user, r.tables)
		if err != nil {
			return fmt.Errorf("storage '%s': %w", id, err)
		}
		if len(files) > 0 {
			return kalam.Errorf(kalam.CodeConflict, "storage '%s' has %s again; it is tried again", id, files[0].Path)
		}
	}
	return nil
}

// numbers returns the numbers of the tables in which the user may have had rows.
func (r *removal) numbers() []kalam.TableNumber {
	var list []kalam.TableNumber
	for _, t := range r.tables {
		list = append(list, t.Number)
	}
	for _, sc := range r.scopes {
		list = append(list, sc.Table)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// finish removes the record of the user, and gives the id free.
func (r *removal) finish(ctx context.Context) error {
	if err := r.Catalog.FinishPurge(ctx, r.user); err != nil {
		return err
	}
	r.admit(r.user)
	r.report.Removed = true
	r.Logger.Info("user removed", "user", string(r.user), "tables", r.report.Tables, "files", r.report.Files)
	return nil
}
