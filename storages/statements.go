package storages

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
)

// Create makes a storage: it is tried out, marked as one of this lake, and then part of the
// catalog. Errors: CodeAlreadyExists; CodeInvalidInput for the settings, CodeUnavailable
// when it does not work; they tell why, for who may create storages.
func (r *Registry) Create(
	ctx context.Context, id kalam.StorageID, kind catalog.StorageType, s Settings,
) (err error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	if _, exists := r.o.Catalog.Storage(id); exists {
		return kalam.Errorf(kalam.CodeAlreadyExists, "Storage '%s' already exists", id)
	}
	st, err := r.define(catalog.Storage{ID: id, Type: kind}, &s)
	if err != nil {
		return err
	}
	if err := r.checkPlace(&st); err != nil {
		return err
	}
	if st.Type == catalog.StorageFilesystem {
		if err := makeDirectory(st.BaseDirectory); err != nil {
			return err
		}
	}
	g := r.guard(st)
	unmark, err := r.claim(ctx, &st, g)
	if err != nil {
		return errors.Join(refusedStorage(id, "created", err), g.shut())
	}
	if err := r.o.Catalog.CreateStorage(ctx, st); err != nil {
		unmark()
		return errors.Join(err, g.shut())
	}
	return r.register(st, g)
}

// makeDirectory makes the directory of a new storage.
func makeDirectory(dir string) error {
	s, err := file.New(dir)
	if err != nil {
		return err
	}
	return s.Close()
}

// refusedStorage is the error of a storage that does not work. It tells why.
func refusedStorage(id kalam.StorageID, what string, err error) error {
	var known *kalam.Error
	if errors.As(err, &known) && known.Code != kalam.CodeUnavailable && known.Err == nil {
		return err
	}
	if errors.As(err, &known) && known.Code == kalam.CodeUnavailable && known.Err != nil {
		err = known.Err
	}
	return kalam.Wrap(kalam.CodeUnavailable, err, "Storage '%s' was not %s: %v", id, what, err)
}

// claim tries a new storage out and marks it, if nobody else has. unmark takes that back.
func (r *Registry) claim(ctx context.Context, st *catalog.Storage, g *guarded) (unmark func(), err error) {
	s, err := g.begun(ctx)
	if err != nil {
		return nil, err
	}
	mark, marked, err := lake.ReadMark(ctx, s)
	if err != nil {
		return nil, err
	}
	switch {
	case marked && mark.LakeID != r.o.Mark.LakeID:
		return nil, kalam.Errorf(kalam.CodeInvalidOperation,
			"'%s' belongs to the lake %s, and this is the lake %s; use another directory or prefix",
			st.URI, mark.LakeID, r.o.Mark.LakeID)
	case marked && mark.Storage == "":
		return nil, kalam.Errorf(kalam.CodeInvalidInput, "'%s' is the storage '%s'", st.URI, kalam.LocalStorage)
	case marked && mark.Storage != st.ID:
		if _, there := r.o.Catalog.Storage(mark.Storage); there {
			return nil, kalam.Errorf(kalam.CodeInvalidInput, "'%s' is the storage '%s'", st.URI, mark.Storage)
		}
	case !marked:
		found, err := lake.FindSegment(ctx, s)
		if err != nil {
			return nil, err
		}
		if found != "" {
			return nil, kalam.Errorf(kalam.CodeInvalidOperation,
				"'%s' holds rows of tables, among others in %s, and no mark tells of which lake; "+
					"use an empty directory or prefix", st.URI, found)
		}
	}
	if h := s.Check(ctx); h.Err != nil {
		return nil, h.Err
	}
	if err := lake.WriteMark(ctx, s, r.markOf(st.ID)); err != nil {
		return nil, err
	}
	g.attached.Store(true)
	return func() {
		if !marked {
			r.removeMark(ctx, st.ID, s)
		}
	}, nil
}

// removeMark removes the mark of a storage that is none of this lake's any more.
func (r *Registry) removeMark(ctx context.Context, id kalam.StorageID, s lake.Storage) {
	if err := lake.RemoveMark(context.WithoutCancel(ctx), s); err != nil {
		r.log.Warn("the mark of a storage was not removed; another lake cannot use its place before",
			"storage", string(id), "error", err)
	}
}

// Alter changes the settings of a storage. With other options or credentials it is tried
// out anew. Where it is stays. Errors are those of Create, and CodeNotFound.
func (r *Registry) Alter(ctx context.Context, id kalam.StorageID, s Settings) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	old, ok := r.o.Catalog.Storage(id)
	if !ok {
		return kalam.Errorf(kalam.CodeNotFound, "Storage '%s' does not exist", id)
	}
	if s.URI != nil && *s.URI != old.URI {
		return kalam.Errorf(kalam.CodeInvalidOperation,
			"ALTER STORAGE cannot change where a storage is: files lie there")
	}
	s.URI = nil
	if id == kalam.LocalStorage {
		return r.alterLocal(ctx, old, &s)
	}
	st, err := r.define(old, &s)
	if err != nil {
		return err
	}
	r.mu.Lock()
	g := r.storages[id]
	r.mu.Unlock()
	if g == nil || st.Config != old.Config || st.Credentials != old.Credentials {
		if err := r.checkPlace(&st); err != nil {
			return err
		}
		g = r.guard(st)
		h := g.Check(ctx)
		if h.Err != nil {
			return errors.Join(refusedStorage(id, "altered", h.Err), g.shut())
		}
	}
	if err := r.o.Catalog.AlterStorage(ctx, st); err != nil {
		return err
	}
	return r.register(st, g)
}

// alterLocal changes what the storage "local" is called. Its place and its templates are
// what a server goes by that has lost everything but the files.
func (r *Registry) alterLocal(ctx context.Context, st catalog.Storage, s *Settings) error {
	if s.SharedTemplate != nil || s.UserTemplate != nil || s.Config != nil || s.Credentials != nil || s.Region != nil {
		return kalam.Errorf(kalam.CodeInvalidOperation, "ALTER STORAGE changes only NAME and DESCRIPTION of '%s'", st.ID)
	}
	if s.Name != nil {
		st.Name = *s.Name
	}
	if s.Description != nil {
		st.Description = *s.Description
	}
	return r.o.Catalog.AlterStorage(ctx, st)
}

// Drop removes a storage that nothing refers to: no table, no user, and nothing that inUse
// finds once nothing new can be written there. What lies in the directory or bucket stays,
// but for the mark. Errors: CodeNotFound, CodeInvalidOperation, CodeConflict.
func (r *Registry) Drop(
	ctx context.Context, id kalam.StorageID, inUse func(context.Context, kalam.StorageID) error,
) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	st, ok := r.o.Catalog.Storage(id)
	if !ok {
		return kalam.Errorf(kalam.CodeNotFound, "Storage '%s' does not exist", id)
	}
	if err := r.o.Catalog.CheckStorageUnused(id); err != nil {
		return err
	}
	resume, err := r.o.Lake.Retire(id)
	if err != nil {
		return err
	}
	defer resume()
	if err := inUse(ctx, id); err != nil {
		return err
	}
	if err := r.o.Catalog.DropStorage(ctx, id); err != nil {
		return err
	}
	r.o.Lake.Unregister(id)
	r.mu.Lock()
	g := r.storages[id]
	delete(r.storages, id)
	r.mu.Unlock()
	r.setDirs()
	if g == nil {
		return nil
	}
	if s, err := g.ready(ctx); err == nil {
		r.removeMark(ctx, id, s)
	} else {
		r.log.Warn("the mark of a dropped storage stays: it does not answer", "storage", string(id), "error", err)
	}
	err = g.shut()
	if !g.props.Local {
		err = errors.Join(err, os.RemoveAll(r.dirOf(&st)))
	}
	if err != nil {
		r.log.Warn("what was kept of a dropped storage was not removed; the next start does it", "storage",
			string(id), "error", fmt.Errorf("close: %w", err))
	}
	return nil
}
