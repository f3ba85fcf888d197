package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/maintain/inspect"
)

// Config says which lake is looked at.
type Config = inspect.Config

// Options are what Run needs beside the configuration.
type Options struct {
	Logger *slog.Logger // nil discards.
	// Problem is called for everything that is wrong, with a line that names it.
	Problem func(line string)
}

// Result is what Run has looked at.
type Result struct {
	Tables, Users, Segments int // Users: one for each table that they have files of.
	Bytes                   int64
	Unnamed                 int // Files that no manifest names: no damage, a job removes them.
	Purged                  int // Users that were removed, of whom nothing may be left.
	Problems                int
}

// Run compares a lake that no server uses with its record: that buffer and storage
// belong together, every manifest, every byte of the files that they name, whose they
// are, and their keys. The write buffer is opened as by a start, which checks its files;
// nothing else is changed. An error means that not all could be looked at.
func Run(ctx context.Context, cfg Config, o Options) (_ Result, err error) {
	if o.Problem == nil {
		o.Problem = func(string) {}
	}
	l, err := inspect.Open(ctx, cfg, o.Logger)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	v := &verifier{Lake: l, opts: o, named: map[segmentKey]kalam.Scope{}}
	v.result.Tables = len(v.Catalog.Tables(""))
	if err := v.manifests(ctx); err != nil {
		return v.result, err
	}
	if err := v.files(ctx); err != nil {
		return v.result, err
	}
	return v.result, v.purged(ctx)
}

// segmentKey names a segment.
type segmentKey struct {
	storage kalam.StorageID
	path    string
}

// verifier is the work of Run.
type verifier struct {
	*inspect.Lake
	opts   Options
	named  map[segmentKey]kalam.Scope // Who names a segment.
	result Result
}

func (v *verifier) problem(format string, args ...any) {
	v.result.Problems++
	v.opts.Problem(fmt.Sprintf(format, args...))
}

// manifests checks every manifest of record and the segments that it names. Those of
// dropped tables, and of users that are being removed, are only names: their files may be gone.
func (v *verifier) manifests(ctx context.Context) error {
	for m, err := range buffer.ScopeRecords(ctx, v.Pair.Backend) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			v.problem("%v", err)
			continue
		}
		t, known := v.Catalog.TableByNumber(m.Scope.Table)
		known = known && !v.Catalog.IsPurging(m.Scope.User)
		if known {
			v.result.Users++
			v.checkOrder(t, &m)
		}
		for i := range m.Record.Segments {
			seg := &m.Record.Segments[i]
			key := segmentKey{cmp.Or(seg.Storage, kalam.LocalStorage), seg.Path}
			if other, taken := v.named[key]; taken {
				v.problem("%s: tables %d and %d, users '%s' and '%s' name it both",
					seg.Path, other.Table, m.Scope.Table, other.User, m.Scope.User)
			}
			v.named[key] = m.Scope
			if !known {
				continue
			}
			if err := v.checkSegment(ctx, t, seg); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOrder checks that the segments of a manifest follow each other.
func (v *verifier) checkOrder(t *kalam.Table, m *buffer.StoredRecord) {
	last := kalam.Seq(0)
	for i := range m.Record.Segments {
		seg := &m.Record.Segments[i]
		if seg.Table != m.Scope.Table {
			v.problem("%s: the manifest of table %s says that it belongs to table %d", seg.Path, t.ID, seg.Table)
		}
		if seg.MinSeq > seg.MaxSeq || seg.MinSeq <= last || seg.MaxSeq > m.Record.Watermark {
			v.problem("%s: the manifest of table %s, user '%s' says that its seqs are %d to %d, after %d and "+
				"up to %d at most",
				seg.Path, t.ID, m.Scope.User, seg.MinSeq, seg.MaxSeq, last, m.Record.Watermark)
		}
		last = seg.MaxSeq
	}
}

// checkSegment reads both files of a segment. An error is that of a context that ended.
func (v *verifier) checkSegment(ctx context.Context, t *kalam.Table, seg *kalam.Segment) error {
	v.result.Segments++
	v.result.Bytes += seg.Bytes + seg.Sums.KeysBytes
	_, err := v.Lake.Lake.Scrub(ctx, seg, nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, lake.ErrNoKeyIndex) {
		v.problem("table %s, user '%s': %v; a server makes it anew when it needs it, if the Parquet file is whole",
			t.ID, seg.User, err)
	} else if err != nil {
		v.problem("table %s, user '%s': %v", t.ID, seg.User, err)
	}
	return nil
}

// files looks for files that belong to nothing, and for a manifest.json that outside
// readers cannot use.
func (v *verifier) files(ctx context.Context) error {
	for _, id := range v.Lake.Lake.Storages() {
		list, err := v.Lake.Lake.Orphans(ctx, lake.OrphanQuery{
			Storage: id, Age: lake.AnyAge,
			Known: func(path string) bool { _, ok := v.named[segmentKey{id, path}]; return ok },
		})
		if err != nil {
			return fmt.Errorf("list the storage '%s': %w", id, err)
		}
		v.result.Unnamed += len(list.Orphans) + len(list.Protected)
		for _, path := range slices.Sorted(maps.Keys(list.Untrusted)) {
			v.problem("%s, which outside readers go by, cannot be trusted: %v", path, list.Untrusted[path])
		}
	}
	return nil
}
