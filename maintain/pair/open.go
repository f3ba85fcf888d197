package pair

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
)

// Open opens the storage and the buffer, makes sure that they belong together, and locks
// both. What does not is refused, and nothing is changed then. The caller closes the Pair,
// after an error too.
func Open(ctx context.Context, cfg Config, o Options) (*Pair, error) {
	o.setDefaults()
	p := &Pair{log: o.Logger, bufferDir: cfg.BufferPath, dataDir: cfg.DataPath}
	c := newCheck(cfg, o)
	storage, err := file.Open(cfg.StoragePath, file.Options{Existing: true})
	switch {
	case err == nil:
		p.disk = storage
		p.Storage = o.Wrap.WrapStorage(storage)
		c.storage, c.disk = p.Storage, storage
	case !errors.Is(err, lake.ErrNotExist):
		return p, fmt.Errorf("open storage local: %w", err)
	}
	if err := c.readMark(ctx); err != nil {
		return p, err
	}
	if p.Backend = o.Backend; p.Backend == nil {
		if p.Backend, err = c.openBuffer(ctx, cfg, o); err != nil {
			return p, err
		}
	}
	p.Backend = o.Wrap.WrapBackend(p.Backend)
	c.backend = p.Backend
	if err := c.check(ctx); err != nil {
		return p, err
	}
	if p.disk == nil {
		if p.disk, err = file.New(cfg.StoragePath); err != nil {
			return p, fmt.Errorf("open storage local: %w", err)
		}
		p.Storage = o.Wrap.WrapStorage(p.disk)
		c.storage = p.Storage
	}
	p.disk.KeepFree(p.reserve)
	holder := fmt.Sprintf("kalamd with pid %d and the write buffer %s", os.Getpid(), c.bufferDir)
	if err := p.disk.Lock(holder); err != nil {
		return p, err
	}
	if err := c.confirm(ctx); err != nil {
		return p, err
	}
	p.record, p.opened = c.record, time.Now()
	warnIfOpen(cfg, o.Logger)
	return p, nil
}

// openBuffer opens Badger, unless the storage has had another buffer.
func (c *check) openBuffer(ctx context.Context, cfg Config, o Options) (buffer.Backend, error) {
	if err := c.checkNewBuffer(ctx, cfg.BufferPath); err != nil {
		return nil, err
	}
	b, err := badger.Open(cfg.BufferPath, badger.Options{Logger: o.Logger, Relaxed: cfg.Relaxed})
	if kalam.CodeOf(err) == kalam.CodeCorrupt {
		return nil, fmt.Errorf("open buffer: %w. %s", err, adoptAdvice)
	}
	if err != nil {
		return nil, fmt.Errorf("open buffer: %w", err)
	}
	return b, nil
}

// Inspect opens both halves of a lake that no server uses, and makes sure that they belong
// together. It changes nothing but what the start of the write buffer does. The caller
// closes the Pair, after an error too.
func Inspect(ctx context.Context, cfg Config, o Options) (*Pair, error) {
	o.setDefaults()
	p := &Pair{log: o.Logger, bufferDir: cfg.BufferPath, dataDir: cfg.DataPath}
	c := newCheck(cfg, o)
	storage, err := file.Open(cfg.StoragePath, file.Options{Existing: true})
	if err != nil {
		return p, fmt.Errorf("open storage local: %w", err)
	}
	p.disk, p.Storage = storage, storage
	c.storage, c.disk = storage, storage
	if err := c.readMark(ctx); err != nil {
		return p, err
	}
	if isNew, err := badger.IsNew(cfg.BufferPath); err != nil || isNew {
		if err == nil {
			err = kalam.Errorf(kalam.CodeNotFound, "there is no write buffer in %s", c.bufferDir)
		}
		return p, err
	}
	b, err := badger.Open(cfg.BufferPath, badger.Options{Logger: o.Logger, Relaxed: cfg.Relaxed})
	if err != nil {
		return p, fmt.Errorf("open buffer: %w", err)
	}
	p.Backend, c.backend = b, b
	err = c.check(ctx)
	p.record = c.record
	return p, err
}
