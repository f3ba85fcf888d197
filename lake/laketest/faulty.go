package laketest

import (
	"context"

	"github.com/kalamlake/kalam/lake"
)

// Faulty is a storage that asks Fail before each operation and does not do those
// for which it returns an error. It is safe for concurrent use if Fail is.
type Faulty struct {
	lake.Storage
	// Fail gets the name of the method (of Object.ReadAt too) and the path.
	Fail func(op, path string) error
}

// Create implements lake.Storage.
func (f *Faulty) Create(ctx context.Context, p string) (lake.Staged, error) {
	if err := f.Fail("Create", p); err != nil {
		return nil, err
	}
	return f.Storage.Create(ctx, p)
}

// Commit implements lake.Storage. A failing commit leaves nothing, as the
// contract asks.
func (f *Faulty) Commit(ctx context.Context, staged ...lake.Staged) error {
	for _, d := range staged {
		if err := f.Fail("Commit", d.Path()); err != nil {
			for _, d := range staged {
				_ = d.Abort() // the injected error is the one to see
			}
			return err
		}
	}
	return f.Storage.Commit(ctx, staged...)
}

// Replace implements lake.Storage.
func (f *Faulty) Replace(ctx context.Context, p string, content []byte) error {
	if err := f.Fail("Replace", p); err != nil {
		return err
	}
	return f.Storage.Replace(ctx, p, content)
}

// Open implements lake.Storage.
func (f *Faulty) Open(ctx context.Context, p string) (lake.Object, error) {
	if err := f.Fail("Open", p); err != nil {
		return nil, err
	}
	o, err := f.Storage.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	return &faultyObject{Object: o, f: f, path: p}, nil
}

type faultyObject struct {
	lake.Object
	f    *Faulty
	path string
}

// ReadAt implements lake.Object.
func (o *faultyObject) ReadAt(b []byte, off int64) (int, error) {
	if err := o.f.Fail("ReadAt", o.path); err != nil {
		return 0, err
	}
	return o.Object.ReadAt(b, off)
}

// LocalPath implements lake.Storage.
func (f *Faulty) LocalPath(ctx context.Context, p string) (string, func(), error) {
	if err := f.Fail("LocalPath", p); err != nil {
		return "", nil, err
	}
	return f.Storage.LocalPath(ctx, p)
}

// Remove implements lake.Storage.
func (f *Faulty) Remove(ctx context.Context, p string) error {
	if err := f.Fail("Remove", p); err != nil {
		return err
	}
	return f.Storage.Remove(ctx, p)
}

// Move implements lake.Storage. Fail gets the old path.
func (f *Faulty) Move(ctx context.Context, from, to string) error {
	if err := f.Fail("Move", from); err != nil {
		return err
	}
	return f.Storage.Move(ctx, from, to)
}

// List implements lake.Storage.
func (f *Faulty) List(ctx context.Context, prefix string, visit func(lake.Entry) error) error {
	if err := f.Fail("List", prefix); err != nil {
		return err
	}
	return f.Storage.List(ctx, prefix, visit)
}
