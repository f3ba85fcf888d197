package sqldriver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/sqltext"
)

// conn is one connection of a sql.DB, which gives it to one goroutine at a time: it holds an open transaction.
type conn struct {
	connector *Connector
	tx        *tx // nil outside a transaction.
	lost      bool
}

var (
	_ driver.Pinger             = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
)

// badConn is the error of a request that did not reach the server.
type badConn struct{ error }

// Is says to database/sql that the statement may be sent again.
func (badConn) Is(target error) bool { return target == driver.ErrBadConn } //nolint:errorlint // Is compares.

// Unwrap returns what happened.
func (b badConn) Unwrap() error { return b.error }

// failed notes what an error says of the connection.
func (c *conn) failed(err error) error {
	if link.KindOf(err) == link.KindConnection {
		c.lost = true
	}
	if link.Unsent(err) {
		return badConn{err}
	}
	return err
}

// IsValid reports whether the connection may go back to the pool.
func (c *conn) IsValid() bool { return !c.lost }

// ResetSession is called before another use of the connection.
func (c *conn) ResetSession(context.Context) error {
	if c.lost {
		return driver.ErrBadConn
	}
	return nil
}

// Ping asks the server for an answer, with the credentials.
func (c *conn) Ping(ctx context.Context) error {
	_, err := c.connector.client.Query(ctx, "SELECT 1")
	return c.failed(err)
}

// Close drops an open transaction.
func (c *conn) Close() error {
	c.tx = nil
	return nil
}

// Prepare is PrepareContext.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext keeps the text: the server keeps the plans of texts that come again.
func (c *conn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return &stmt{conn: c, query: query, params: countParams(query)}, nil
}

// countParams returns the highest n of the placeholders $n, -1 when the text does not lex.
func countParams(query string) int {
	most := 0
	for l := sqltext.NewLexer(query); ; {
		switch t := l.Next(); t.Kind {
		case sqltext.EOF:
			return most
		case sqltext.Invalid:
			return -1
		case sqltext.Param:
			if n, ok := sqltext.ParamNumber(query[t.Pos:t.End]); ok {
				most = max(most, n)
			}
		}
	}
}

// Begin is BeginTx.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx opens a transaction, which sends nothing before Commit. The context holds for Commit, too.
func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	switch level := sql.IsolationLevel(o.Isolation); level {
	case sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSnapshot:
	default:
		return nil, fmt.Errorf("kalam has no isolation level %s: a transaction reads one snapshot, use sql.LevelSnapshot "+
			"or sql.LevelDefault", level)
	}
	if o.ReadOnly {
		return nil, errors.New("kalam has no read-only transactions; a single SELECT reads one snapshot without one")
	}
	c.tx = &tx{conn: c, ctx: ctx}
	return c.tx, nil
}

// CheckNamedValue refuses arguments with names and takes all others as package link does.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if v.Name != "" {
		return fmt.Errorf("kalam has no named parameters: write $%d for %s, and give its value without sql.Named",
			v.Ordinal, v.Name)
	}
	if _, ok := v.Value.(sql.Out); ok {
		return errors.New("kalam has no output parameters; RETURNING gives what was written")
	}
	valuer, ok := v.Value.(driver.Valuer)
	if !ok {
		return nil
	}
	if r := reflect.ValueOf(valuer); r.Kind() == reflect.Pointer && r.IsNil() {
		v.Value = nil
		return nil
	}
	value, err := valuer.Value()
	v.Value = value
	return err
}

// ExecContext runs statements, or takes them into the open transaction.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.tx != nil {
		return c.tx.add(query, args)
	}
	res, err := c.connector.client.Query(ctx, query, values(args)...)
	if err != nil {
		return nil, c.failed(err)
	}
	var n affected
	for _, r := range res.Results {
		n += affected(r.RowCount())
	}
	return n, nil
}

// QueryContext runs statements and returns their results.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.tx != nil {
		return nil, errors.New("kalam answers no query inside a transaction, which goes to the server as one request at " +
			"Commit: ask before BeginTx, or say it in one statement (INSERT .. SELECT, UPDATE .. WHERE)")
	}
	res, err := c.connector.client.Query(ctx, query, values(args)...)
	if err != nil {
		return nil, c.failed(err)
	}
	if len(res.Results) == 0 {
		return nil, errors.New("the server answered without a result")
	}
	return &rows{results: res.Results, location: c.connector.location}, nil
}

func values(args []driver.NamedValue) []any {
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a.Value
	}
	return list
}

// affected is the number of rows that a statement gave or wrote.
type affected int64

// LastInsertId is refused: keys need not be numbers, nor made by the server.
func (affected) LastInsertId() (int64, error) { return noInsertID() }

// RowsAffected returns the number.
func (n affected) RowsAffected() (int64, error) { return int64(n), nil }

func noInsertID() (int64, error) {
	return 0, errors.New("kalam has no last insert id: query INSERT .. RETURNING id")
}
