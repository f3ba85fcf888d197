package catalog

import (
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
)

// image is one immutable state of the catalog. A copy of it shares everything
// until with or without replaces a part.
type image struct {
	namespaces dict[kalam.NamespaceID, *namespaceEntry]
	numbers    dict[kalam.TableNumber, *tableEntry]
	dropped    dict[kalam.TableNumber, *tableEntry]
	users      dict[kalam.UserID, *userEntry]
	storages   dict[kalam.StorageID, *Storage]
	secrets    dict[string, Secret]
	active     dict[kalam.JobID, *kalam.Job]

	nextTable kalam.TableNumber
	epoch     uint64
}

// namespaceEntry is a namespace with its tables by name.
type namespaceEntry struct {
	namespace Namespace
	tables    dict[kalam.TableName, *tableEntry]
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
func (im *image) table(id kalam.TableID) (*tableEntry, bool) {
	ns, ok := im.namespaces.get(id.Namespace)
	if !ok {
		return nil, false
	}
	return ns.tables.get(id.Name)
}

// setTable adds or replaces a table in its namespace, which exists.
func (im *image) setTable(e *tableEntry) {
	id := e.current.ID
	old, _ := im.namespaces.get(id.Namespace)
	ns := &namespaceEntry{namespace: old.namespace, tables: old.tables.with(id.Name, e)}
	im.namespaces = im.namespaces.with(id.Namespace, ns)
	im.numbers = im.numbers.with(e.current.Number, e)
}

// removeTable removes a table from its namespace and keeps it among the dropped.
func (im *image) removeTable(e *tableEntry) {
	id := e.current.ID
	old, _ := im.namespaces.get(id.Namespace)
	ns := &namespaceEntry{namespace: old.namespace, tables: old.tables.without(id.Name)}
	im.namespaces = im.namespaces.with(id.Namespace, ns)
	im.numbers = im.numbers.without(e.current.Number)
	im.dropped = im.dropped.with(e.current.Number, e)
}

// activeUser returns a user that is not deleted.
func (im *image) activeUser(id kalam.UserID) (*userEntry, bool) {
	e, ok := im.users.get(id)
	if !ok || e.user.IsDeleted() {
		return nil, false
	}
	return e, true
}

// setUser adds or replaces a user.
func (im *image) setUser(u User) {
	e := &userEntry{user: u, times: new(userTimes)}
	if old, ok := im.users.get(u.ID); ok {
		e.times = old.times
	}
	im.users = im.users.with(u.ID, e)
}
