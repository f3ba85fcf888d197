// Package querytest opens DuckDB as it is, without guard, rewrite or sandbox:
// the reference that measurements compare with. Nothing a user sends may reach
// it.
package querytest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// DB is a DuckDB instance in memory with one connection. It is not safe for
// concurrent use.
type DB struct {
	connector *duckdb.Connector
	db        *sql.DB
	conn      *sql.Conn
}

// Open opens an instance with the given number of threads.
//
//nolint:contextcheck // Tests wait for it.
func Open(threads int) (*DB, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	d := &DB{connector: connector, db: sql.OpenDB(connector)}
	if d.conn, err = d.db.Conn(context.Background()); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	if err := d.Run(fmt.Sprintf("SET threads = %d", threads)); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Run runs a statement and fetches all of its rows through the driver.
//
//nolint:contextcheck // Tests wait for what they run.
func (d *DB) Run(text string) error {
	return d.conn.Raw(func(c any) error {
		stmt, err := c.(driver.ConnPrepareContext).PrepareContext(context.Background(), text)
		if err != nil {
			return err
		}
		defer stmt.Close()
		rows, err := stmt.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		vals := make([]driver.Value, len(rows.Columns()))
		for {
			if err := rows.Next(vals); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
		}
	})
}

// Close closes the instance.
func (d *DB) Close() error {
	return errors.Join(d.conn.Close(), d.db.Close())
}
