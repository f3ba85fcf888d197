package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Stored is what a backend that is not opened as a Catalog says of tables and storages.
type Stored struct {
	Tables   map[kalam.TableNumber]*kalam.Table // Those that are dropped are not among them.
	Storages map[kalam.StorageID]*Storage
	Purging  map[kalam.UserID]struct{} // Users whose removal has begun: of their files some may be gone.
}

// Live reports whether all files of a scope are there: its table was not dropped, and its user is not being removed.
func (s *Stored) Live(sc kalam.Scope) bool {
	_, purging := s.Purging[sc.User]
	return s.Tables[sc.Table] != nil && !purging
}

// ReadStored reads the records, as Open does. It changes nothing. A damaged record is CodeCorrupt.
func ReadStored(ctx context.Context, from buffer.Reader) (*Stored, error) {
	out := &Stored{
		Tables: map[kalam.TableNumber]*kalam.Table{}, Storages: map[kalam.StorageID]*Storage{},
		Purging: map[kalam.UserID]struct{}{},
	}
	v, err := reader{from}.load(ctx)
	if err != nil {
		return nil, err
	}
	for n, e := range v.numbers.All() {
		out.Tables[n] = e.current
	}
	for id, s := range v.storages.All() {
		out.Storages[id] = s
	}
	for id, e := range v.users.All() {
		if !e.user.PurgingAt.IsZero() {
			out.Purging[id] = struct{}{}
		}
	}
	return out, nil
}

// scan calls f for every record whose key begins with prefix, by key; without the keyspace for none. raw is valid
// during the call only.
func (r reader) scan(ctx context.Context, prefix string, f func(key string, raw []byte) error) error {
	err := r.from.Scan(ctx, Keyspace, []byte(prefix), []byte(prefixEnd(prefix)), func(key, value []byte) error {
		return f(string(key), value)
	})
	if errors.Is(err, buffer.ErrKeyspaceNotFound) {
		return nil
	}
	return err
}

// CheckDoneJobs reads the records of finished jobs, which ReadStored leaves out, and tells damage which are damaged.
func CheckDoneJobs(ctx context.Context, from buffer.Reader, damage func(error)) error {
	return reader{from}.scan(ctx, prefixDoneJob, func(key string, raw []byte) error {
		var j kalam.Job
		if err := decodeRecord(key, raw, &j); err != nil {
			damage(err)
		}
		return nil
	})
}

// DropActiveJobs removes, from a backend that is not opened as a Catalog, the records of unfinished jobs of a
// kind: a copy of a server must not go on with them.
func DropActiveJobs(ctx context.Context, b buffer.Backend, kind kalam.JobKind) error {
	v := version{}
	if err := (reader{b}).scan(ctx, prefixActiveJob, v.loadJob); err != nil {
		return fmt.Errorf("read jobs: %w", err)
	}
	var ops []operation
	for id, j := range v.active.All() {
		if j.Kind == kind {
			ops = append(ops, operation{key: activeJobKey(id)})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return store{b}.apply(ctx, ops)
}
