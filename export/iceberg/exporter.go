package iceberg

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/segments"
)

// Kind is the kind of the jobs that write catalogs.
const Kind kalam.JobKind = "IC"

const (
	// retries lets an export outlast a storage that does not answer.
	retries = 1000
	// priority lets everything else start first.
	priority = -20
)

// Options are what New needs. Room, Why and Now have a default.
type Options struct {
	Catalog  *catalog.Catalog
	Store    *buffer.Store
	Lake     *lake.Lake
	Segments *segments.Reader
	Refs     *catalog.TableRefs // Who uses a table: one that was dropped is removed afterwards.
	LakeID   string             // By it, a table and a user, catalogs have their ids.
	// Submit submits a job, or returns the active one of its key.
	Submit func(context.Context, kalam.Job) (kalam.Job, bool, error)
	// Room returns a context that ends when the disk gets full, Why takes its cause; nil watches nothing.
	Room func(context.Context) (watched context.Context, stop func())
	Why  func(watched context.Context, err error) error
	Now  func() time.Time // nil is time.Now.
}

// Exporter writes catalogs. It is safe for concurrent use.
type Exporter struct{ Options }

// New returns an Exporter.
func New(o Options) *Exporter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Room == nil {
		o.Room = func(ctx context.Context) (context.Context, func()) { return ctx, func() {} }
		o.Why = func(_ context.Context, err error) error { return err }
	}
	return &Exporter{Options: o}
}

// parameters are those of a job, as JSON in its record.
type parameters struct {
	Table string       `json:"table_id"`
	User  kalam.UserID `json:"user_id,omitempty"` // Of the scope.
	By    kalam.UserID `json:"by"`
}

// Result is the result of a job, as JSON in its record.
type Result struct {
	Metadata    string    `json:"metadata"`   // URI of the metadata file.
	TableUUID   string    `json:"table_uuid"` // The same for each export of a scope.
	Version     int64     `json:"version"`    // From 1.
	LastSeq     kalam.Seq `json:"last_seq"`   // The highest _seq in the files that are named.
	Rows        int64     `json:"rows"`       // That a reader finds.
	DataFiles   int       `json:"data_files"`
	DeleteFiles int       `json:"delete_files"`
	Deleted     int64     `json:"deleted_rows"`  // That delete files take out.
	Buffered    int       `json:"buffered_rows"` // Versions of rows that were not flushed, and so are not there.
}

// Start submits the export of a scope on behalf of by, who must have the right to it. An export of the
// scope that is queued or runs is returned instead, with existing. A table without files is
// CodeInvalidOperation.
func (e *Exporter) Start(
	ctx context.Context, by kalam.UserID, t *kalam.Table, sc kalam.Scope,
) (job kalam.Job, existing bool, err error) {
	if !t.Flushable() {
		return job, false, kalam.Errorf(kalam.CodeInvalidOperation,
			"STORAGE EXPORT CATALOG needs a table with files: rows of %s table %s are in no file", t.Kind, t.ID)
	}
	text, err := json.Marshal(parameters{Table: t.ID.String(), User: sc.User, By: by})
	if err != nil {
		return job, false, fmt.Errorf("encode the parameters of an export: %w", err)
	}
	return e.Submit(ctx, kalam.Job{
		Kind: Kind, Key: fmt.Sprintf("iceberg-%d-%s", sc.Table, sc.User), Namespace: t.ID.Namespace, Table: t.ID.Name,
		Number: t.Number, Parameters: string(text), Priority: priority,
	})
}

// parametersOf returns what a job exports, and for whom.
func parametersOf(j *kalam.Job) (p parameters, err error) {
	if err := json.Unmarshal([]byte(j.Parameters), &p); err != nil {
		return p, fmt.Errorf("the parameters of job %s cannot be read: %q", j.ID, j.Parameters)
	}
	return p, nil
}

// Jobs returns the jobs that a user started, or that export rows of the user, the newest first.
func (e *Exporter) Jobs(ctx context.Context, user kalam.UserID) (list []kalam.Job, err error) {
	for j, err := range e.Catalog.JobsOf(ctx, Kind) {
		if err != nil {
			return nil, err
		}
		if p, err := parametersOf(&j); err == nil && (p.By == user || p.User == user) {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(a, b kalam.Job) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return list, nil
}
