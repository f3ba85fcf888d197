package engine

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/pool"
	"github.com/kalamlake/kalam/query/worker"
)

// openQuery opens the query engine.
func (e *Engine) openQuery(log *slog.Logger) error {
	x, err := e.openExecutor(log)
	if err != nil {
		return err
	}
	e.query, err = query.Open(query.Options{Executor: x, MaxPlans: e.config.QueryCache.MaxPlans, Logger: log})
	if err != nil {
		return errors.Join(err, x.Close())
	}
	return nil
}

// openExecutor opens what runs DuckDB: processes where the configuration asks for them,
// or leaves it to the system and that has them.
func (e *Engine) openExecutor(log *slog.Logger) (query.Executor, error) {
	c := &e.config.Query
	lake, postgreSQL := []string{e.pair.Storage.Properties().Location}, c.Dialect == config.DialectPostgreSQL
	if c.Isolation == config.IsolationProcess || c.Isolation == config.IsolationAuto && pool.Available {
		x, err := pool.Open(pool.Options{
			MemoryLimit: c.MemoryLimit, Threads: c.Threads, LakeDirs: lake, MoreDirs: e.storages.Dirs, PostgreSQL: postgreSQL, NextIDs: e.nextIDs,
			TempDir: e.config.TemporaryPath(), Logger: log, Places: c.Workers,
		})
		if err == nil {
			return x, nil
		}
		if c.Isolation == config.IsolationProcess {
			return nil, fmt.Errorf("%w (query.isolation is %s)", err, config.IsolationProcess)
		}
		log.Warn("queries run in the server's process: this system starts no query workers", "error", err)
	}
	return worker.Open(worker.Options{
		MemoryLimit: c.MemoryLimit, Threads: c.Threads, LakeDirs: lake, MoreDirs: e.storages.Dirs, PostgreSQL: postgreSQL, NextIDs: e.nextIDs,
	})
}

// nulls returns where the executor puts NULLs.
func (e *Engine) nulls() query.NullOrder {
	if e.config.Query.Dialect == config.DialectPostgreSQL {
		return query.NullsHigh
	}
	return query.NullsLast
}

// Isolation tells where queries run and what keeps them from the rest of the machine, as
// in "process: landlock 7, seccomp".
func (e *Engine) Isolation() string { return e.query.Stats().Where() }

// nextIDs fills out with values of SNOWFLAKE_ID().
func (e *Engine) nextIDs(out []int64) error {
	for i := range out {
		id, err := e.store.NextID()
		if err != nil {
			return err
		}
		out[i] = int64(id)
	}
	return nil
}
