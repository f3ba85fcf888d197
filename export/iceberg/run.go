package iceberg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
)

// maxTries is how often an export begins again because a compaction replaced files that it names.
const maxTries = 3

// JobType is the writing of a catalog.
func (e *Exporter) JobType() jobs.Type {
	return jobs.Type{
		Kind: Kind, Name: "catalog_export", MaxRetries: retries,
		Task: func(kalam.Job) jobs.Task { return jobs.TaskFunc(e.run) },
	}
}

// run writes the catalog of a job.
func (e *Exporter) run(ctx context.Context, h *jobs.Handle) error {
	job := h.Job()
	p, err := parametersOf(&job)
	if err != nil {
		return jobs.Permanent(err)
	}
	watched, stop := e.Room(ctx)
	result, err := e.export(watched, h, kalam.Scope{Table: job.Number, User: p.User})
	err = e.Why(watched, err)
	stop()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case jobs.Skipped(err), kalam.CodeOf(err) == kalam.CodeUnavailable: // A storage may answer again.
		return err
	case errors.Is(err, buffer.ErrUserBarred):
		return jobs.Skip(fmt.Sprintf("User '%s' is being removed", p.User))
	default:
		return jobs.Permanent(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return jobs.Permanent(fmt.Errorf("encode the result of an export: %w", err))
	}
	h.SetResult(string(text), message(job.Table, result))
	return nil
}

// message says what was exported, without where the storage is.
func message(t kalam.TableName, r Result) string {
	text := fmt.Sprintf(
		"Exported %d row(s) of table %s in %d file(s), with %d delete file(s), as version %d, up to _seq %d",
		r.Rows, t, r.DataFiles, r.DeleteFiles, r.Version, r.LastSeq)
	if r.Buffered > 0 {
		text += fmt.Sprintf("; %d change(s) were not flushed yet and are not in it", r.Buffered)
	}
	return text
}

// export writes the catalog of a scope, again while compactions replace files that it names.
func (e *Exporter) export(ctx context.Context, h *jobs.Handle, sc kalam.Scope) (r Result, err error) {
	e.Refs.Acquire(sc.Table)
	defer e.Refs.Release(sc.Table)
	for try := 1; ; try++ {
		v, err := e.write(ctx, h, sc, try)
		if err != nil {
			return r, err
		}
		now, err := e.Store.ScopeRecord(ctx, sc)
		if err != nil {
			return r, err
		}
		p := v.plan
		if try < maxTries && (!p.isIn(&now) || e.Catalog.StorageOf(p.table, sc.User) != p.at) {
			continue
		}
		return Result{
			Metadata: v.uri(v.metadataName()), TableUUID: p.uuid, Version: v.number, LastSeq: p.lastSeq,
			Rows: v.records - v.deleted, DataFiles: len(p.files), DeleteFiles: len(v.deletes), Deleted: v.deleted,
			Buffered: p.buffered,
		}, nil
	}
}

// isIn reports whether a manifest of record still has all segments that the plan names.
func (p *plan) isIn(m *buffer.ScopeRecord) bool {
	there := make(map[kalam.SegmentID]bool, len(m.Segments))
	for i := range m.Segments {
		there[m.Segments[i].ID] = true
	}
	for i := range p.files {
		if !there[p.files[i].id] {
			return false
		}
	}
	return true
}

// write writes a version of the catalog of a scope under a read point, which keeps the files that it names.
// From the second try on versions of before go: they may name files that are gone.
func (e *Exporter) write(ctx context.Context, h *jobs.Handle, sc kalam.Scope, try int) (v *version, err error) {
	t, ok := e.Catalog.TableByNumber(sc.Table)
	if !ok {
		return nil, jobs.Skip("The table was dropped")
	}
	point, views, err := e.Store.Views(ctx, []buffer.TableScope{{Table: t, Scope: sc}})
	if kalam.CodeOf(err) == kalam.CodeTableNotFound {
		return nil, jobs.Skip("The table was dropped")
	}
	if err != nil {
		return nil, err
	}
	defer point.Release()
	if t, ok = e.Catalog.TableByNumber(sc.Table); !ok { // Segments may be of a newer version than that before the point.
		return nil, jobs.Skip("The table was dropped")
	}
	if err := e.known(ctx, t, views[0]); err != nil {
		return nil, err
	}
	p, err := e.plan(ctx, t, views[0])
	if err != nil {
		return nil, err
	}
	number, err := p.nextVersion(ctx)
	if err != nil {
		return nil, err
	}
	if v, err = newVersion(p, number, e.Now()); err != nil {
		return nil, err
	}
	progress := func(done, total int) {
		h.SetDone(int64(done), int64(total), fmt.Sprintf("%d of %d files", done, total))
	}
	if err := v.publish(ctx, progress); err != nil {
		return nil, fmt.Errorf("export table %s: %w", t.ID, err)
	}
	kept := number - 1 // Who reads the version of before goes on.
	if try > 1 {
		kept = number
	}
	return v, p.clean(ctx, kept)
}

// known skips a scope that was never written to: what removes catalogs would not know of it.
func (e *Exporter) known(ctx context.Context, t *kalam.Table, v *buffer.View) error {
	m, err := e.Store.ScopeRecord(ctx, v.Scope())
	if err != nil || t.IsShared() || m.Version > 0 || v.BufferedRows() > 0 {
		return err
	}
	return jobs.Skip(fmt.Sprintf("User '%s' has no rows in table %s", v.Scope().User, t.ID))
}
