package inspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/storages"
)

// Config says which lake is opened.
type Config struct {
	Pair            pair.Config
	Storages        storages.Config
	DefaultStrategy string // What SHARD_STRATEGY 'default' means.
}

// Lake is an opened lake. It is safe for concurrent use.
type Lake struct {
	Pair     *pair.Pair
	Catalog  *catalog.Catalog
	Lake     *lake.Lake
	Storages *storages.Registry
}

// Open opens both halves of a lake and its storages, unless a server does. A nil log discards.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (_ *Lake, err error) {
	l := &Lake{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.Pair, err = pair.Inspect(ctx, cfg.Pair, pair.Options{Logger: log}); err != nil {
		return nil, err
	}
	if l.Catalog, err = catalog.Open(ctx, l.Pair.Backend, catalog.Options{Logger: log}); err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	l.Lake, err = lake.New(lake.Options{DefaultStrategy: cfg.DefaultStrategy},
		lake.Location{ID: kalam.LocalStorage, Storage: l.Pair.Storage})
	if err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	l.Storages, err = storages.Open(ctx, storages.Options{
		Config: cfg.Storages, Catalog: l.Catalog, Lake: l.Lake, Mark: l.Pair.Mark(), Inspect: true, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("open storages: %w", err)
	}
	return l, nil
}

// Close closes what Open has opened, the last part first.
func (l *Lake) Close() (err error) {
	if l.Lake != nil {
		err = l.Lake.Close()
	}
	if l.Storages != nil {
		err = errors.Join(err, l.Storages.Close())
	}
	if l.Catalog != nil {
		err = errors.Join(err, l.Catalog.Close())
	}
	if l.Pair != nil {
		err = errors.Join(err, l.Pair.Close())
	}
	return err
}
