package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kalamlake/kalam/internal/syncdir"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/read"
)

// Kinds of jobs.
const (
	Kind        kalam.JobKind = "UE" // Makes an export.
	KindCleanup kalam.JobKind = "XC" // Deletes those that have expired.
)

// Format is what the files of an export are.
type Format string

// The formats.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
)

// Config is the configuration of exports.
type Config struct {
	RetentionHours int   `koanf:"retention_hours" doc:"how long the file of EXPORT USER DATA can be downloaded, 1 to 8760"`
	MaxBytes       int64 `koanf:"max_bytes" doc:"largest file of EXPORT USER DATA"`
	MaxPerUser     int   `koanf:"max_per_user" doc:"exports that are kept of a user; the oldest goes"`
	MaxConcurrent  int   `koanf:"max_concurrent" doc:"exports that are made at a time; others wait"`
}

// DefaultConfig returns the configuration of a server that was told nothing.
func DefaultConfig() Config {
	return Config{RetentionHours: 72, MaxBytes: 10 << 30, MaxPerUser: 3, MaxConcurrent: 2}
}

// Options are what New needs. Logger, Now and Room have a default.
type Options struct {
	Config Config
	Dir    string // Made when it is needed.
	Reader *read.Reader
	// Submit submits a job, or returns the active one of its key.
	Submit func(context.Context, kalam.Job) (kalam.Job, bool, error)
	// Room returns a context that ends when the disk gets full, why takes its cause; nil watches nothing.
	Room   func(context.Context) (watched context.Context, stop func())
	Why    func(watched context.Context, err error) error
	Logger *slog.Logger     // nil discards.
	Now    func() time.Time // nil is time.Now.
}

// Exporter makes, lists, finds and removes exports. It is safe for concurrent use.
type Exporter struct {
	Options
	slots chan struct{} // One for each export that may run.
}

// New returns an Exporter.
func New(o Options) *Exporter {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Room == nil {
		o.Room = func(ctx context.Context) (context.Context, func()) { return ctx, func() {} }
		o.Why = func(_ context.Context, err error) error { return err }
	}
	return &Exporter{Options: o, slots: make(chan struct{}, max(o.Config.MaxConcurrent, 1))}
}

// parameters are those of an export job, as JSON in its record.
type parameters struct {
	User   kalam.UserID `json:"user_id"`
	Format Format       `json:"format"`
}

// Result is the result of an export job, as JSON in its record.
type Result struct {
	Bytes     int64     `json:"bytes"`
	SHA256    string    `json:"sha256"` // Of the file, in hexadecimal digits.
	Tables    int       `json:"tables"`
	Rows      int64     `json:"rows"`
	Seq       kalam.Seq `json:"seq"` // Of the read point: later changes are not in it.
	ExpiresAt time.Time `json:"expires_at"`
}

// Start submits the export of the principal's data; one of a format is made at a time.
func (e *Exporter) Start(ctx context.Context, p kalam.Principal, f Format) (kalam.Job, error) {
	text, err := json.Marshal(parameters{User: p.User, Format: f})
	if err != nil {
		return kalam.Job{}, fmt.Errorf("encode the parameters of an export: %w", err)
	}
	j, _, err := e.Submit(ctx, kalam.Job{
		Kind: Kind, Key: "export-" + string(f) + "-" + string(p.User), Parameters: string(text), Priority: priority,
	})
	return j, err
}

// parametersOf returns whose export a job makes, and of what format.
func parametersOf(j *kalam.Job) (p parameters, err error) {
	if err := json.Unmarshal([]byte(j.Parameters), &p); err != nil || p.User == "" {
		return p, fmt.Errorf("the parameters of job %s cannot be read: %q", j.ID, j.Parameters)
	}
	return p, nil
}

// Export is one export as its user sees it.
type Export struct {
	Job     kalam.Job
	Message string
	Ready   bool // It can be downloaded.
}

// List returns the exports of a user, the newest first.
func (e *Exporter) List(ctx context.Context, user kalam.UserID) (list []Export, err error) {
	for j, err := range e.Reader.Catalog.JobsOf(ctx, Kind) {
		if err != nil {
			return nil, err
		}
		if p, err := parametersOf(&j); err != nil || p.User != user {
			continue // Damaged ones are nobody's.
		}
		x := Export{Job: j, Message: j.Message}
		_, err := e.fileOf(&j, user)
		switch x.Ready = err == nil; {
		case j.Status == kalam.JobCompleted && !x.Ready:
			x.Message = "Expired; run EXPORT USER DATA again"
		case j.Status == kalam.JobFailed:
			x.Message = j.Error
		case !j.Status.Done() && j.Progress != "":
			x.Message = j.Progress
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b Export) int { return b.Job.CreatedAt.Compare(a.Job.CreatedAt) })
	return list, nil
}

// Columns are those of Rows, as package systables reads them.
const Columns = `job_id TEXT, status TEXT, created_at TIMESTAMP, message TEXT?, download_url TEXT?`

// Rows returns List as SHOW EXPORT shows it. base is the URL before DownloadPath.
func (e *Exporter) Rows(ctx context.Context, user kalam.UserID, base string) ([][]kalam.Value, error) {
	list, err := e.List(ctx, user)
	rows := make([][]kalam.Value, len(list))
	for i := range list {
		x := &list[i]
		message, link := kalam.Null(), kalam.Null()
		if x.Message != "" {
			message = kalam.Text(x.Message)
		}
		if x.Ready {
			link = kalam.Text(base + DownloadPath(user, x.Job.ID))
		}
		rows[i] = []kalam.Value{
			kalam.Text(string(x.Job.ID)), kalam.Text(string(x.Job.Status)),
			kalam.Integer(kalam.KindTimestamp, x.Job.CreatedAt.UnixMicro()), message, link,
		}
	}
	return rows, err
}

// DownloadPath returns the path of an export below that of all of them: "/{user}/{id}".
func DownloadPath(user kalam.UserID, id kalam.JobID) string {
	return "/" + url.PathEscape(string(user)) + "/" + string(id)
}

// errNotFound says no more than that there is no such export for who asks.
func errNotFound() error { return kalam.Errorf(kalam.CodeNotFound, "Export not found") }

// File is the file of an export.
type File struct {
	Path   string
	Name   string // For who downloads it.
	Bytes  int64
	SHA256 string
}

// Find returns the file of an export of a user: CodeNotFound when there is none, it is another
// user's, it is not ready, or has expired.
func (e *Exporter) Find(ctx context.Context, user kalam.UserID, id string) (File, error) {
	j, ok, err := e.Reader.Catalog.Job(ctx, kalam.JobID(id))
	if err != nil {
		return File{}, err
	}
	if !ok || j.Kind != Kind {
		return File{}, errNotFound()
	}
	return e.fileOf(&j, user)
}

// fileOf returns the file of a job, if it is ready and the user's.
func (e *Exporter) fileOf(j *kalam.Job, user kalam.UserID) (File, error) {
	p, err := parametersOf(j)
	if err != nil || p.User != user || j.Status != kalam.JobCompleted {
		return File{}, errNotFound()
	}
	var r Result
	if json.Unmarshal([]byte(j.Result), &r) != nil || !e.Now().Before(r.ExpiresAt) {
		return File{}, errNotFound()
	}
	f := File{Path: e.path(user, j.ID), Name: "kalam-export-" + string(j.ID) + ".zip", Bytes: r.Bytes, SHA256: r.SHA256}
	info, err := os.Stat(f.Path)
	if err != nil || info.Size() != r.Bytes {
		return File{}, errNotFound() // It was removed, to make room for newer ones.
	}
	return f, nil
}

// folder returns where the exports of a user are. The encoding is one to one and no path.
func (e *Exporter) folder(user kalam.UserID) string {
	return filepath.Join(e.Dir, layout.EncodeUserID(user))
}

// path returns where the export of a job is. Ids of jobs are letters, digits and '-'.
func (e *Exporter) path(user kalam.UserID, id kalam.JobID) string {
	return filepath.Join(e.folder(user), string(id)+suffix)
}

const (
	suffix       = ".zip"
	stagedSuffix = ".zip.tmp"
)

// RemoveUser deletes the exports of a user and returns how many there were.
func (e *Exporter) RemoveUser(_ context.Context, user kalam.UserID) (n int, err error) {
	names, err := e.names(user)
	if err != nil {
		return 0, err
	}
	if err := os.RemoveAll(e.folder(user)); err != nil {
		return 0, fmt.Errorf("remove the exports of user '%s': %w", user, err)
	}
	return len(names), syncFolder(e.Dir)
}

// names returns the exports of a user by their file names, the oldest first.
func (e *Exporter) names(user kalam.UserID) (list []os.FileInfo, err error) {
	entries, err := os.ReadDir(e.folder(user))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list the exports of user '%s': %w", user, err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && filepath.Ext(entry.Name()) == suffix {
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	return list, nil
}

// syncFolder makes durable what was renamed in a folder, or removed from it; one that is not there
// needs nothing.
func syncFolder(dir string) error {
	if err := syncdir.Sync(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the folder of exports durable: %w", err)
	}
	return nil
}
