package catalog

import (
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/internal/persistent"
)

// The types of storage.
const (
	StorageFilesystem StorageType = "filesystem"
	StorageS3         StorageType = "s3"
)

// version is one immutable state of the catalog. A copy of it shares everything
// until with or without replaces a part.
type version struct {
	namespaces persistent.Map[kalam.NamespaceID, *namespaceEntry]
	numbers    persistent.Map[kalam.TableNumber, *tableEntry]
	dropped    persistent.Map[kalam.TableNumber, *tableEntry]
	users      persistent.Map[kalam.UserID, *userEntry]
	storages   persistent.Map[kalam.StorageID, *Storage]
	secrets    persistent.Map[string, Secret]
	active     persistent.Map[kalam.JobID, *kalam.Job]
	keys       persistent.Map[keyDigest, *keyEntry]
	keyIDs     persistent.Map[string, keyDigest]
	views      persistent.Map[kalam.TableID, *View]
	rights     *rights.Set

	nextTable kalam.TableNumber
	audit     int // Format of the audit log, 0 for none.
	moved     int // Tables with a folder of another name than their own.
	epoch     uint64
	userEdits uint64 // Rises with every write of a user.
}

// namespaceEntry is a namespace with its tables by name.
type namespaceEntry struct {
	namespace Namespace
	tables    persistent.Map[kalam.TableName, *tableEntry]
}

// tableEntry is a table with its history.
type tableEntry struct {
	current    *kalam.Table
	versions   []SchemaVersion // Oldest first; the last is current.
	nextColumn kalam.ColumnID
	droppedAt  time.Time // Zero while the table exists.
}

// userEntry is a user; times is shared by all versions of the entry.
type userEntry struct {
	user  User
	times *userTimes
}

// userTimes are times of a user that are not written at once, in Unix microseconds, 0
// for none.
type userTimes struct {
	login atomic.Int64 // The last login by password.
	seen  atomic.Int64 // The last request.
}

// table returns the entry of a table by its name.
func (v *version) table(id kalam.TableID) (*tableEntry, bool) {
	ns, ok := v.namespaces.Get(id.Namespace)
	if !ok {
		return nil, false
	}
	return ns.tables.Get(id.Name)
}

// setTable adds or replaces a table in its namespace, which exists.
func (v *version) setTable(e *tableEntry) {
	id := e.current.ID
	old, _ := v.namespaces.Get(id.Namespace)
	ns := &namespaceEntry{namespace: old.namespace, tables: old.tables}
	if was, ok := v.numbers.Get(e.current.Number); ok {
		v.countMoved(was, -1)
		if was.current.ID != id {
			ns.tables = ns.tables.Without(was.current.ID.Name)
		}
	}
	v.countMoved(e, 1)
	ns.tables = ns.tables.With(id.Name, e)
	v.namespaces = v.namespaces.With(id.Namespace, ns)
	v.numbers = v.numbers.With(e.current.Number, e)
}

// countMoved counts a table, n times, if its folder has another name than itself.
func (v *version) countMoved(e *tableEntry, n int) {
	if e.current.Folder != "" {
		v.moved += n
	}
}

// removeTable removes a table from its namespace and keeps it among the dropped.
func (v *version) removeTable(e *tableEntry) {
	id := e.current.ID
	old, _ := v.namespaces.Get(id.Namespace)
	ns := &namespaceEntry{namespace: old.namespace, tables: old.tables.Without(id.Name)}
	v.countMoved(e, -1)
	v.namespaces = v.namespaces.With(id.Namespace, ns)
	v.numbers = v.numbers.Without(e.current.Number)
	v.dropped = v.dropped.With(e.current.Number, e)
}

// activeUser returns a user that is not deleted.
func (v *version) activeUser(id kalam.UserID) (*userEntry, bool) {
	e, ok := v.users.Get(id)
	if !ok || e.user.IsDeleted() {
		return nil, false
	}
	return e, true
}

// setUser adds or replaces a user.
func (v *version) setUser(u User) {
	e := &userEntry{user: u, times: new(userTimes)}
	if old, ok := v.users.Get(u.ID); ok {
		e.times = old.times
	}
	v.users = v.users.With(u.ID, e)
	v.userEdits++
}

// removeUser removes a user, who is purged.
func (v *version) removeUser(id kalam.UserID) {
	v.users = v.users.Without(id)
	v.userEdits++
}

// SchemaVersion is one version of a table's definition.
type SchemaVersion struct {
	Table     *kalam.Table // As it was; Table.SchemaVersion is the number of the version.
	Changes   string       // What made this version of the one before, for instance "ADD COLUMN c TEXT".
	CreatedAt time.Time
}

// Namespace is one namespace.
type Namespace struct {
	ID        kalam.NamespaceID
	Options   map[string]kalam.Value // BOOLEAN, BIGINT, DOUBLE or TEXT values; not to be changed.
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Storage is where segments are kept.
type Storage struct {
	ID             kalam.StorageID `json:"id"`
	Name           string          `json:"name"`
	Description    string          `json:"description,omitempty"`
	Type           StorageType     `json:"type"`
	URI            string          `json:"uri"`                       // "" for local: storage.default_storage_path.
	BaseDirectory  string          `json:"base_directory,omitempty"`  // As given; "": follows from URI.
	SharedTemplate string          `json:"shared_template,omitempty"` // "": the default of package lake.
	UserTemplate   string          `json:"user_template,omitempty"`
	Credentials    string          `json:"credentials,omitempty"` // Sealed by the caller; never clear text.
	Config         string          `json:"config,omitempty"`      // JSON.
	CreatedAt      time.Time       `json:"created_at"`
	UpdatedAt      time.Time       `json:"updated_at"`
}

// StorageType is the kind of a storage.
type StorageType string
