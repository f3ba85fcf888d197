package adopt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/recovery"
	"github.com/kalamlake/kalam/maintain/pair"
)

// Config says which lake is adopted, and what its catalog needs.
type Config struct {
	Pair            pair.Config
	DefaultStrategy string // What SHARD_STRATEGY 'default' means.
	BcryptCost      int
}

// Options are what Run needs beside the configuration.
type Options struct {
	Logger *slog.Logger     // nil discards.
	Now    func() time.Time // nil is time.Now.
	DryRun bool             // Only report what would be adopted.
	// WithoutDamaged adopts users whose files cannot all be read with what is left,
	// instead of making their rows unavailable.
	WithoutDamaged bool
	Wrap           pair.Wrap
}

// Run rebuilds the record of a lake whose write buffer is gone, in a new write
// buffer, from the files in the storage: tables, segments, and which rows were replaced
// or deleted. Rows that were only in the buffer are lost, and so are accounts. It needs
// the storage and the buffer for itself. Nothing is removed from the storage; what
// cannot be read stays where it is and is reported.
//
// The record of the lake is written last: what ends before is repeated by the next
// Run from the beginning, and no server starts on it.
func Run(ctx context.Context, cfg Config, o Options) (_ *Report, err error) {
	o.Logger, o.Now = pair.Defaults(o.Logger, o.Now)
	a := &adopter{
		config: cfg, opts: o,
		bufferDir: pair.Absolute(cfg.Pair.BufferPath), storageDir: pair.Absolute(cfg.Pair.StoragePath),
	}
	a.report.DryRun = o.DryRun
	defer func() { err = errors.Join(err, a.opened.close()) }()
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	if err := a.survey(ctx); err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := a.begin(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.adoptScopes(ctx); err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := a.finish(ctx); err != nil {
			return nil, err
		}
	}
	return &a.report, nil
}

// adopter is the work of Adopt.
type adopter struct {
	config                Config
	opts                  Options
	bufferDir, storageDir string // Absolute, for messages.

	storage lake.Storage
	disk    *file.Storage // What storage is, or wraps.
	lake    *lake.Lake
	backend buffer.Backend // nil in a dry run.
	opened  opened
	mark    lake.Mark
	marked  bool

	found   *recovery.Survey
	tables  []*recovery.FoundTable // Those that are adopted.
	numbers kalam.TableNumber      // Above all that were given.
	last    kalam.Seq              // At or above all that were given, as far as files tell.
	unsure  bool                   // Something was found that nothing may remove.
	report  Report
}

// opened are the parts that a command has opened, in their order.
type opened []io.Closer

// close closes the parts, the last one first.
func (o opened) close() (err error) {
	for _, part := range slices.Backward(o) {
		err = errors.Join(err, part.Close())
	}
	return err
}

// refuseAdoption is the error when nothing may be adopted.
func refuseAdoption(format string, args ...any) error {
	return kalam.Errorf(kalam.CodeInvalidOperation, "%s. Nothing was changed", fmt.Sprintf(format, args...))
}

// open opens storage and buffer, and makes sure that the one has something to adopt
// and the other nothing to lose.
func (a *adopter) open(ctx context.Context) (err error) {
	a.disk, err = file.Open(a.config.Pair.StoragePath, file.Options{Existing: true})
	if errors.Is(err, lake.ErrNotExist) {
		return refuseAdoption(
			"The storage %s does not exist: point storage.default_storage_path to the directory with the files",
			a.storageDir)
	}
	if err != nil {
		return fmt.Errorf("open storage local: %w", err)
	}
	a.storage = a.opts.Wrap.WrapStorage(a.disk)
	a.opened = append(a.opened, a.disk)
	if a.opts.DryRun {
		err = a.disk.Locked()
	} else {
		err = a.disk.Lock(fmt.Sprintf("kalamd repair with pid %d and the write buffer %s", os.Getpid(), a.bufferDir))
	}
	if err != nil {
		return err
	}
	if err := a.readMark(ctx); err != nil {
		return err
	}
	if err := a.openBuffer(ctx); err != nil {
		return err
	}
	a.lake, err = lake.New(lake.Options{Now: a.opts.Now, DefaultStrategy: a.config.DefaultStrategy},
		lake.Location{ID: kalam.LocalStorage, Storage: a.storage})
	if err != nil {
		return fmt.Errorf("open lake: %w", err)
	}
	a.opened = append(a.opened, a.lake)
	return nil
}

// readMark reads which lake the storage belongs to. A mark that is damaged is replaced;
// the lake gets another id then.
func (a *adopter) readMark(ctx context.Context) (err error) {
	a.mark, a.marked, err = lake.ReadMark(ctx, a.storage)
	switch kalam.CodeOf(err) {
	case kalam.CodeUnsupported:
		return kalam.Wrap(kalam.CodeUnsupported, err,
			"the storage %s cannot be adopted; use the version of kalamd that wrote it", a.storageDir)
	case kalam.CodeCorrupt:
		a.report.note("%v; the lake gets a new id, and what was there stays as %s", err, damagedMark)
		a.marked = false
	default:
		if err != nil {
			return fmt.Errorf("read the mark of the storage %s: %w", a.storageDir, err)
		}
	}
	if a.marked {
		a.report.LakeID = a.mark.LakeID
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make the id of the lake: %w", err)
	}
	a.mark = lake.Mark{LakeID: id.String(), CreatedAt: a.opts.Now().UTC().Truncate(time.Millisecond)}
	a.report.LakeID, a.report.NewID = a.mark.LakeID, true
	return nil
}

// moveAway is the advice for a directory with a buffer.
const moveAway = "If that buffer is lost, move the directory away, keep it, and run this again: " +
	"rows that were only in it are then lost"

// openBuffer opens the directory of the buffer, unless another buffer is in it.
func (a *adopter) openBuffer(ctx context.Context) error {
	isNew, err := badger.IsNew(a.config.Pair.BufferPath)
	if err != nil {
		return err
	}
	if a.opts.DryRun {
		if !isNew {
			return refuseAdoption("The directory %s holds a write buffer. %s", a.bufferDir, moveAway)
		}
		return nil
	}
	b, err := badger.Open(a.config.Pair.BufferPath, badger.Options{Logger: a.opts.Logger})
	if err != nil && !isNew && kalam.CodeOf(err) == kalam.CodeCorrupt {
		return kalam.Wrap(kalam.CodeCorrupt, err,
			"the write buffer in %s cannot be opened, and nothing was changed. %s", a.bufferDir, moveAway)
	}
	if err != nil {
		return fmt.Errorf("open buffer: %w", err)
	}
	a.backend, a.opened = a.opts.Wrap.WrapBackend(b), append(a.opened, b)
	if isNew {
		return nil
	}
	return a.checkBuffer(ctx)
}

// checkBuffer refuses a buffer in which something is, but for what an adoption left that
// did not finish.
func (a *adopter) checkBuffer(ctx context.Context) error {
	adopting, err := catalog.IsAdopting(ctx, a.backend)
	if err != nil || adopting {
		return err
	}
	// An adoption that was killed at its very beginning leaves keyspaces without a key.
	empty, err := a.holdsNothing(ctx)
	if err != nil || empty {
		return err
	}
	record, recorded, err := catalog.ReadLake(ctx, a.backend)
	switch {
	case err == nil && recorded && a.marked && record.ID == a.mark.LakeID:
		return refuseAdoption("The directory %s holds the write buffer of this very lake, %s: start the server "+
			"with it. %s",
			a.bufferDir, record.ID, moveAway)
	case err == nil && recorded:
		return refuseAdoption(
			"The directory %s holds the write buffer of the lake %s, and the storage %s is of the lake %s. "+
				"Give the adopted lake an empty directory (storage.buffer_path)",
			a.bufferDir, record.ID, a.storageDir, a.mark.LakeID)
	}
	return refuseAdoption("The directory %s holds a write buffer with a catalog of its own. %s", a.bufferDir, moveAway)
}

// holdsNothing reports whether no keyspace of the buffer has a key.
func (a *adopter) holdsNothing(ctx context.Context) (bool, error) {
	names, err := a.backend.Keyspaces(ctx)
	if err != nil {
		return false, err
	}
	errFound := errors.New("found")
	for _, name := range names {
		err := a.backend.Keys(ctx, name, nil, nil, func([]byte) error { return errFound })
		if errors.Is(err, errFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// survey finds the tables in the storage.
func (a *adopter) survey(ctx context.Context) error {
	s, err := recovery.NewSurvey(ctx, a.lake, kalam.LocalStorage)
	if err != nil {
		return fmt.Errorf("the storage %s cannot be read; nothing was changed: %w", a.storageDir, err)
	}
	a.found = s
	found, err := s.Tables(ctx)
	if err != nil {
		return err
	}
	if len(s.Segments) == 0 && len(s.Manifests) == 0 {
		return refuseAdoption("The storage %s has no files of tables: there is nothing to adopt", a.storageDir)
	}
	for _, f := range s.Segments {
		a.last = max(a.last, f.Segment.MaxSeq)
		a.numbers = max(a.numbers, f.Segment.Table+1)
	}
	a.report.Stray, a.report.Empty = found.Stray, found.Empty
	a.unsure = len(found.Stray) > 0
	a.report.Loose = s.Loose
	for _, p := range s.Loose {
		a.unsure = a.unsure || strings.HasSuffix(p, ".parquet")
	}
	for _, t := range found.Tables {
		if err := a.chooseTable(t); err != nil {
			return err
		}
	}
	return nil
}

// chooseTable decides whether a table is adopted.
func (a *adopter) chooseTable(t *recovery.FoundTable) error {
	newest := t.Newest()
	problem := t.Problem
	switch {
	case t.Successor != 0:
		a.report.Dropped = append(a.report.Dropped,
			DroppedFiles{Table: newest.ID, Number: t.Number, Files: countFiles(t)})
		return nil
	case problem == nil && newest.Options.StorageID != kalam.LocalStorage:
		problem = kalam.Errorf(kalam.CodeUnsupported,
			"table %s has the storage '%s', which only the lost write buffer knew", newest.ID, newest.Options.StorageID)
	}
	for i := 0; i < len(t.Versions) && problem == nil; i++ {
		problem = catalog.CheckAdopted(t.Versions[i])
	}
	if problem != nil {
		a.unsure = true
		a.report.Refused = append(a.report.Refused, RefusedTable{Table: newest.ID, Files: countFiles(t), Why: problem})
		return nil //nolint:nilerr // It is in the report.
	}
	a.tables = append(a.tables, t)
	return nil
}

func countFiles(t *recovery.FoundTable) (n int) {
	for _, sc := range t.Scopes {
		n += len(sc.Segments)
	}
	return n
}

// begin notes in the buffer that it is being filled, empties it of what an earlier
// adoption left, and creates the tables.
func (a *adopter) begin(ctx context.Context) error {
	if err := catalog.BeginAdoption(ctx, a.backend, a.opts.Now()); err != nil {
		return fmt.Errorf("begin the adoption: %w", err)
	}
	names, err := a.backend.Keyspaces(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == catalog.Keyspace {
			continue
		}
		if err := a.backend.DropKeyspace(ctx, name); err != nil {
			return fmt.Errorf("remove what an earlier adoption left: %w", err)
		}
	}
	c, err := catalog.Open(ctx, a.backend, catalog.Options{Now: a.opts.Now, Logger: a.opts.Logger,
		BcryptCost: a.config.BcryptCost})
	if err != nil {
		return fmt.Errorf("open catalog: %w", err)
	}
	tables := make([]catalog.AdoptedTable, len(a.tables))
	for i, t := range a.tables {
		tables[i] = catalog.AdoptedTable{Versions: t.Versions, NextColumn: t.NextColumn}
	}
	if err := errors.Join(c.Adopt(ctx, tables, a.numbers), c.Close()); err != nil {
		return fmt.Errorf("adopt tables: %w", err)
	}
	return nil
}

// adoptBatch is how many users of a table are written at once.
const adoptBatch = 256

// adoptScopes rebuilds the manifest of record of every user of every table.
func (a *adopter) adoptScopes(ctx context.Context) error {
	users := map[kalam.UserID]struct{}{}
	for _, t := range a.tables {
		sum := Table{Table: t.Newest().ID, Kind: t.Newest().Kind, Derived: t.Derived,
			SchemaVersion: t.Newest().SchemaVersion}
		for batch := range slices.Chunk(t.Scopes, adoptBatch) {
			if err := a.adoptBatch(ctx, t, batch, &sum); err != nil {
				return fmt.Errorf("adopt table %s: %w", sum.Table, err)
			}
		}
		for _, sc := range t.Scopes {
			if sc.User != "" {
				users[sc.User] = struct{}{}
			}
		}
		a.report.Tables = append(a.report.Tables, sum)
	}
	for u := range users {
		a.report.Users = append(a.report.Users, u)
	}
	slices.Sort(a.report.Users)
	return nil
}

// adoptBatch rebuilds and writes some scopes of a table.
func (a *adopter) adoptBatch(ctx context.Context, t *recovery.FoundTable, found []*recovery.FoundScope,
	sum *Table) error {
	records := make([]buffer.AdoptedScope, 0, len(found))
	for _, sc := range found {
		scope, err := a.found.AdoptScope(ctx, sc)
		if err != nil {
			return err
		}
		record := a.judge(t, sc, scope, sum)
		if !a.opts.DryRun && record.Unavailable == "" {
			if err := a.found.Restore(ctx, scope); err != nil {
				return err
			}
		}
		records = append(records, record)
	}
	if a.opts.DryRun {
		return nil
	}
	return buffer.Adopt(ctx, a.backend, records, a.last)
}

// judge reports what was found of a scope and makes its manifest of record.
func (a *adopter) judge(t *recovery.FoundTable, found *recovery.FoundScope, scope *recovery.AdoptedScope,
	sum *Table) buffer.AdoptedScope {
	a.last = max(a.last, scope.Watermark)
	a.report.Notes = append(a.report.Notes, scope.Notes...)
	a.report.Unneeded = append(a.report.Unneeded, scope.Unneeded...)
	for p, why := range scope.Damaged {
		a.report.Damaged = append(a.report.Damaged, DamagedFile{Path: p, Why: why})
		a.unsure = true
	}
	record := buffer.AdoptedScope{Scope: t.Newest().ScopeOf(found.User), Counts: scope.Counts}
	if len(scope.Lacking) > 0 {
		a.unsure = true
		a.report.Lacking = append(a.report.Lacking,
			LackingScope{Table: sum.Table, User: found.User, Why: scope.Lacking})
		if !a.opts.WithoutDamaged {
			record.Unavailable = fmt.Sprintf("when the lake was adopted, this was not: %s. Put it back, or "+
				"give it up: "+
				"stop the server, move the directory of the write buffer away and run kalamd repair --adopt again, "+
				"with --without-damaged to give it up", strings.Join(scope.Lacking, "; "))
			return record
		}
	}
	record.Record = buffer.ScopeRecord{
		Version: scope.Version, Watermark: scope.Watermark,
		CreatedAt: scope.CreatedAt, UpdatedAt: scope.UpdatedAt, FlushedAt: scope.UpdatedAt,
		Forgotten:    scope.Watermark, // Which tombstones were left out, the files do not tell;
		CompleteFrom: scope.Watermark, // nor which versions.
	}
	for i := range scope.Segments {
		s := &scope.Segments[i]
		record.Record.Segments = append(record.Record.Segments, s.Segment)
		record.Rows = append(record.Rows, buffer.AdoptedRows{Dead: s.Dead, Tombstones: s.Tombstones})
	}
	sum.Scopes++
	sum.Segments += len(scope.Segments)
	sum.Rows += scope.Living
	return record
}

// damagedMark is where a mark goes that could not be read.
const damagedMark = layout.OwnFolder + "/lake.json.damaged"

// finish marks the storage where it has no mark, and makes the buffer that of the lake.
func (a *adopter) finish(ctx context.Context) error {
	if !a.marked {
		err := a.storage.Move(ctx, layout.MarkPath, damagedMark)
		if err != nil && !errors.Is(err, lake.ErrNotExist) {
			return fmt.Errorf("keep the damaged mark of the storage as %s: %w", damagedMark, err)
		}
		if err := lake.WriteMark(ctx, a.storage, a.mark); err != nil {
			return fmt.Errorf("mark the storage %s: %w", a.storageDir, err)
		}
	}
	record := catalog.LakeRecord{ID: a.mark.LakeID, CreatedAt: a.mark.CreatedAt, Generation: a.mark.Generation,
		Restored: a.unsure}
	if err := catalog.FinishAdoption(ctx, a.backend, record); err != nil {
		return fmt.Errorf("record the lake in the write buffer %s: %w", a.bufferDir, err)
	}
	return nil
}
