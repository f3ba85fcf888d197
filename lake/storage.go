package lake

import (
	"context"
	"errors"
	"io"
	"time"
)

// Conditions that callers branch on, found with errors.Is in what a Storage
// returns.
var (
	// ErrNotExist means that there is no object of that name.
	ErrNotExist = errors.New("object does not exist")
	// ErrExist means that an object of that name exists; it was not touched.
	ErrExist = errors.New("object exists")
	// ErrUnavailable means that the storage does not answer, or not now; the same may
	// succeed later.
	ErrUnavailable = errors.New("the storage does not answer")
)

// Storage keeps immutable objects under '/' separated paths. Implementations
// pass the suite in lake/laketest; how they differ is data (Properties), not
// behaviour.
//
// A path that CheckPath refuses gives CodeInvalidInput everywhere and touches
// nothing. Lack of space gives a kalam.Error with CodeResourceExhausted. Errors
// name objects by their path, never by a name outside the storage. All methods
// are safe for concurrent use and return early when ctx ends; what Commit,
// Replace, Move and Remove did by then may be done, but never half an object.
type Storage interface {
	// Properties describes the storage; the answer never changes.
	Properties() Properties

	// Create prepares a new object at path. The caller writes the file
	// Staged.LocalPath, closes it, and then calls Commit or Staged.Abort.
	// Nothing is seen at path before Commit. Missing folders are made.
	Create(ctx context.Context, path string) (Staged, error)

	// Commit makes staged objects of this storage into objects, in order: first the
	// content of all is made durable, then they appear one after the other, then
	// their names are made durable. An object that exists is never overwritten:
	// ErrExist. On an error none of the staged objects is left as an object, as far as
	// the storage still answers, and the staged objects are gone; after a crash the
	// objects that appeared are a prefix of staged objects. A committed staged object must not
	// be used again.
	Commit(ctx context.Context, staged ...Staged) error

	// Replace makes content the object at path, whether or not one exists. A
	// reader sees the old or the new content, whole; so does a crash.
	Replace(ctx context.Context, path string, content []byte) error

	// Open opens the object at path for reading: ErrNotExist. The caller closes
	// it. An object removed while open stays readable where the system allows.
	Open(ctx context.Context, path string) (Object, error)

	// LocalPath returns the absolute name of a local file with the content of
	// the object at path: ErrNotExist. The file must not be written and stays
	// until release is called.
	LocalPath(ctx context.Context, path string) (name string, release func(), err error)

	// Remove deletes the object at path and then the folders that this left
	// empty. A missing object is no error.
	Remove(ctx context.Context, path string) error

	// Move gives the object at from the name to: ErrNotExist when there is none, and
	// ErrExist when there is one at to, which is never overwritten. Missing folders
	// are made, those that it leaves empty are removed. It is durable on return; a
	// crash before leaves the object at one of the names, or at both. When it was
	// modified stays as it is where the storage can keep that.
	Move(ctx context.Context, from, to string) error

	// List calls visit for every object and staged object below the folder prefix (""
	// is the root), in an order of the storage's choice, and stops at visit's
	// first error, which it returns. What appears or vanishes meanwhile may or
	// may not be visited. A missing folder is empty.
	List(ctx context.Context, prefix string, visit func(Entry) error) error

	// Check writes, reads, lists and removes a probe object.
	Check(ctx context.Context) Health
}

// Content is the content of an object.
type Content struct {
	Path  string
	Bytes []byte
}

// BatchReplacer is a Storage that can replace several objects at less cost than one
// after the other.
type BatchReplacer interface {
	// ReplaceAll is Replace of each object. After an error some may be replaced. A
	// crash soon after may bring back the old content.
	ReplaceAll(ctx context.Context, objects []Content) error
}

// Prefetcher is a remote Storage that can have copies of objects here before they are asked for.
type Prefetcher interface {
	// Prefetch brings objects here, some at a time, as far as there is room. What fails shows when
	// the object is asked for.
	Prefetch(ctx context.Context, objects []Entry)
}

// UploadAborter is a Storage in which a crash can leave uploads that no listing shows.
type UploadAborter interface {
	// AbortUploads ends the uploads that began before a time and returns their number.
	AbortUploads(ctx context.Context, before time.Time) (int, error)
}

// Properties describes a Storage.
type Properties struct {
	Kind string // "filesystem", "s3".
	// Where it is, for people and for manifest.json: an absolute directory or a URL without credentials.
	Location string
	Local    bool // Objects are files of this machine: LocalPath copies nothing.
}

// Staged is an object that is being written.
type Staged interface {
	// Path returns the path that the object will have.
	Path() string
	// LocalPath returns the absolute name of the file to write, one of layout.StagedName.
	// Its folder exists and the file does not.
	LocalPath() string
	// Abort removes what was written. After Commit or Abort it does nothing.
	Abort() error
}

// Object is an open object. ReadAt is safe for concurrent use.
type Object interface {
	io.ReaderAt
	io.Closer
	// Size returns the length in bytes.
	Size() int64
}

// Entry is what List finds.
type Entry struct {
	Path     string
	Bytes    int64
	Modified time.Time
}

// Health is the answer of Check and one row of STORAGE CHECK.
type Health struct {
	Readable, Writable, Listable, Deletable bool
	Latency                                 time.Duration // Of the whole probe.
	TotalBytes, UsedBytes                   int64         // Of the file system or bucket, 0 when unknown.
	Err                                     error         // The first failure, nil when all is well.
	TestedAt                                time.Time
}

// Status returns healthy, degraded (something works) or unreachable.
func (h Health) Status() string {
	switch {
	case h.Readable && h.Writable && h.Listable && h.Deletable:
		return "healthy"
	case h.Readable || h.Writable || h.Listable || h.Deletable:
		return "degraded"
	}
	return "unreachable"
}
