package laketest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// Memory is a lake.Storage that keeps objects in memory and only staged objects and
// local copies in files, as a remote storage does.
type Memory struct {
	dir string // of staged objects and local copies

	mu      sync.Mutex // guards objects
	objects map[string]memoryObject
}

type memoryObject struct {
	content  []byte
	modified time.Time
}

var _ lake.Storage = (*Memory)(nil)

// NewMemory returns an empty storage whose temporary files go to dir.
func NewMemory(dir string) *Memory {
	return &Memory{dir: dir, objects: make(map[string]memoryObject)}
}

// Properties implements lake.Storage.
func (m *Memory) Properties() lake.Properties {
	return lake.Properties{Kind: "memory", Location: "memory://lake"}
}

type memoryStaged struct {
	m     *Memory
	path  string
	local string
	done  bool
}

// Path implements lake.Staged.
func (d *memoryStaged) Path() string { return d.path }

// LocalPath implements lake.Staged.
func (d *memoryStaged) LocalPath() string { return d.local }

// Abort implements lake.Staged.
func (d *memoryStaged) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	if err := os.Remove(d.local); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Create implements lake.Storage.
func (m *Memory) Create(ctx context.Context, p string) (lake.Staged, error) {
	if err := check(ctx, p); err != nil {
		return nil, err
	}
	return &memoryStaged{m: m, path: p, local: filepath.Join(m.dir, path.Base(layout.StagedName(p)))}, nil
}

// Commit implements lake.Storage.
func (m *Memory) Commit(ctx context.Context, staged ...lake.Staged) error {
	defer func() {
		for _, d := range staged {
			_ = d.Abort() // staged objects are gone after a commit, whatever became of it
		}
	}()
	contents := make(map[string]memoryObject)
	for _, d := range staged {
		own, ok := d.(*memoryStaged)
		if !ok || own.m != m || own.done {
			return fmt.Errorf("commit %s: not an open staged object of this storage", d.Path())
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		content, err := os.ReadFile(own.local)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("sync %s: %w", own.path, lake.ErrNotExist)
		}
		if err != nil {
			return err
		}
		contents[own.path] = memoryObject{content, time.Now()}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range contents {
		if _, ok := m.objects[p]; ok {
			return fmt.Errorf("create %s: %w", p, lake.ErrExist)
		}
	}
	maps.Copy(m.objects, contents)
	return nil
}

// Replace implements lake.Storage.
func (m *Memory) Replace(ctx context.Context, p string, content []byte) error {
	if err := check(ctx, p); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[p] = memoryObject{slices.Clone(content), time.Now()}
	return nil
}

func (m *Memory) get(ctx context.Context, p string) ([]byte, error) {
	if err := check(ctx, p); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[p]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", p, lake.ErrNotExist)
	}
	return o.content, nil
}

type openObject struct{ content []byte }

// Size implements lake.Object.
func (o *openObject) Size() int64 { return int64(len(o.content)) }

// Close implements lake.Object.
func (o *openObject) Close() error { return nil }

// ReadAt implements lake.Object.
func (o *openObject) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(o.content)) {
		return 0, io.EOF
	}
	n := copy(b, o.content[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Open implements lake.Storage.
func (m *Memory) Open(ctx context.Context, p string) (lake.Object, error) {
	content, err := m.get(ctx, p)
	if err != nil {
		return nil, err
	}
	return &openObject{content}, nil
}

// LocalPath implements lake.Storage.
func (m *Memory) LocalPath(ctx context.Context, p string) (string, func(), error) {
	content, err := m.get(ctx, p)
	if err != nil {
		return "", nil, err
	}
	name := filepath.Join(m.dir, path.Base(layout.StagedName(p)))
	if err := os.WriteFile(name, content, 0o600); err != nil {
		return "", nil, err
	}
	return name, func() { _ = os.Remove(name) }, nil // a stray copy in a test's folder
}

// Remove implements lake.Storage.
func (m *Memory) Remove(ctx context.Context, p string) error {
	if err := check(ctx, p); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, p)
	return nil
}

// Move implements lake.Storage.
func (m *Memory) Move(ctx context.Context, from, to string) error {
	if err := errors.Join(check(ctx, from), check(ctx, to)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[from]
	if !ok {
		return fmt.Errorf("move %s: %w", from, lake.ErrNotExist)
	}
	if _, ok := m.objects[to]; ok {
		return fmt.Errorf("move %s to %s: %w", from, to, lake.ErrExist)
	}
	m.objects[to] = o
	delete(m.objects, from)
	return nil
}

// List implements lake.Storage.
func (m *Memory) List(ctx context.Context, prefix string, visit func(lake.Entry) error) error {
	if prefix != "" {
		if err := layout.CheckPath(prefix); err != nil {
			return err
		}
	}
	m.mu.Lock()
	objects := maps.Clone(m.objects)
	m.mu.Unlock()
	for _, p := range slices.Sorted(maps.Keys(objects)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if prefix != "" && !strings.HasPrefix(p, prefix+"/") {
			continue
		}
		if err := visit(lake.Entry{Path: p, Bytes: int64(len(objects[p].content)),
			Modified: objects[p].modified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Check implements lake.Storage.
func (m *Memory) Check(ctx context.Context) lake.Health {
	h := lake.Health{TestedAt: time.Now(), Err: ctx.Err()}
	ok := h.Err == nil
	h.Readable, h.Writable, h.Listable, h.Deletable = ok, ok, ok, ok
	return h
}

func check(ctx context.Context, p string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return layout.CheckPath(p)
}
