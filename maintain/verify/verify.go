package verify

import (
	"context"
	"errors"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/buffer/atrest"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/maintain/inspect"
)

// Config says which lake is looked at.
type Config = inspect.Config

// Run compares a lake that no server uses with its record, as Check does. The write buffer is opened as by a start,
// which checks its files; nothing else is changed. A storage that does not answer is an error, too, after all else was
// looked at.
func Run(ctx context.Context, cfg Config, o Options) (_ Result, err error) {
	l, err := inspect.Open(ctx, cfg, o.Logger)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	r, err := CheckOpened(ctx, l, o)
	if err == nil && slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind == KindStorage }) {
		err = kalam.Errorf(kalam.CodeUnavailable, "not all could be looked at: %d problems", r.Problems)
	}
	return r, err
}

// CheckOpened is Check of an opened lake.
func CheckOpened(ctx context.Context, l *inspect.Lake, o Options) (Result, error) {
	snapshot, err := l.Pair.Backend.Snapshot(ctx)
	if err != nil {
		return Result{}, err
	}
	defer snapshot.Close()
	return Check(ctx, Source{Snapshot: snapshot, Backend: l.Pair.Backend, Catalog: l.Catalog, Lake: l.Lake}, o)
}

// Check compares all of a lake with its record: every record of the write buffer and every block of its log; every
// manifest of record, with its order, delete vectors and owners; every byte of the files that it names; every
// manifest.json; the chain of the audit log; and what files there are beside them. Nothing is changed. An error means
// that not all could be looked at; a storage that does not answer is a finding.
func Check(ctx context.Context, src Source, o Options) (Result, error) {
	if o.Problem == nil {
		o.Problem = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	v := &verifier{
		Source: src, opts: o, named: map[segmentKey]kalam.Scope{}, silent: map[kalam.StorageID]bool{},
	}
	var err error
	if v.stored, err = catalog.ReadStored(ctx, src.Snapshot); err != nil {
		return v.result, err
	}
	v.result.Tables = len(v.stored.Tables)
	for _, step := range []func(context.Context) error{v.records, v.log, v.audit, v.segments, v.files, v.purged} {
		if err := step(ctx); err != nil {
			return v.result, err
		}
	}
	return v.result, nil
}

// audit follows the chain of the audit log.
func (v *verifier) audit(ctx context.Context) (err error) {
	v.result.Audit, err = audit.Verify(ctx, v.Snapshot, v.damage(KindAudit))
	return err
}

// log reads all blocks of the row log, and what stands beside it.
func (v *verifier) log(ctx context.Context) error {
	err := atrest.ScanLog(ctx, v.Snapshot, func(b atrest.LogBlock) error {
		v.result.Blocks++
		v.result.Rows += int64(b.Rows)
		v.newest = max(v.newest, b.Last)
		return nil
	}, v.damage(KindLog))
	if err != nil {
		return err
	}
	if err := atrest.CheckMeta(ctx, v.Snapshot, v.newest, v.damage(KindRecord)); err != nil {
		return err
	}
	return catalog.CheckDoneJobs(ctx, v.Snapshot, v.damage(KindRecord))
}
