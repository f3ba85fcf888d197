package sqldriver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam/link"
)

// tx is a transaction that collects its statements until Commit.
type tx struct {
	conn       *conn
	ctx        context.Context //nolint:containedctx // database/sql gives Commit none: it is that of BeginTx.
	statements []link.Statement
	results    []*link.Result // After Commit.
}

// add takes in a statement. What is wrong with its parameters is told at once.
func (t *tx) add(query string, args []driver.NamedValue) (driver.Result, error) {
	st := link.Statement{SQL: query, Params: values(args)}
	if _, err := st.Literal(); err != nil {
		return nil, err
	}
	t.statements = append(t.statements, st)
	return &pending{tx: t, index: len(t.statements) - 1}, nil
}

// Commit sends the statements. They take effect together or not at all.
func (t *tx) Commit() error {
	t.conn.tx = nil
	results, err := t.conn.connector.client.Transaction(t.ctx, t.statements...)
	switch link.KindOf(err) {
	case link.KindConnection, link.KindTimeout:
		if !link.Unsent(err) {
			err = fmt.Errorf("it is not known whether the transaction was committed: %w", err)
		}
	}
	if err != nil {
		return t.conn.failed(err)
	}
	t.results = results
	return nil
}

// Rollback drops the statements, of which the server knows nothing.
func (t *tx) Rollback() error {
	t.conn.tx = nil
	return nil
}

// pending is the result of a statement of a transaction.
type pending struct {
	tx    *tx
	index int
}

// LastInsertId is refused.
func (p *pending) LastInsertId() (int64, error) { return noInsertID() }

// RowsAffected returns the number once the transaction is committed.
func (p *pending) RowsAffected() (int64, error) {
	if p.index >= len(p.tx.results) {
		return 0, errors.New("the rows of a statement in a transaction are counted at Commit: call RowsAffected after it")
	}
	return p.tx.results[p.index].RowCount(), nil
}
