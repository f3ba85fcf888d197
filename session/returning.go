package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/placeholders"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/sqltext"
)

// answer is how a statement that writes rows reports them.
type answer struct {
	table     *kalam.Table
	verb      string // "Inserted".
	alias     string // Of the table in RETURNING, "" for its name.
	returning []ast.ReturnExpr
	edits     sqltext.Edits
}

// finishDML reports a write: "Inserted 2 row(s)", or the rows of RETURNING, those that
// are as they were among them.
func (s *Session) finishDML(ctx context.Context, a *answer, changes []change, seqs []kalam.Seq) error {
	if len(a.returning) == 0 {
		var n int64
		for i, seq := range seqs {
			if seq != 0 && !changes[i].kept {
				n++
			}
		}
		return s.message(n, fmt.Sprintf("%s %d row(s)", a.verb, n))
	}
	if out, ok := schema.ReturnedColumns(a.table, a.returning); ok {
		return s.returnColumns(a.table, out, changes, seqs)
	}
	return s.returnRows(ctx, a, changes, seqs, s.stream)
}

// rehearse asks policies about the changes and evaluates RETURNING before the write, so that what
// fails leaves nothing behind. Only _seq is not known yet.
func (s *Session) rehearse(ctx context.Context, a *answer, changes []change) error {
	at := func(i int) *buffer.Mutation { return &changes[i].Mutation }
	if err := s.CheckWrites(ctx, len(changes), at, len(a.returning) > 0); err != nil {
		return err
	}
	if len(a.returning) == 0 {
		return nil
	}
	if _, ok := schema.ReturnedColumns(a.table, a.returning); ok {
		return nil
	}
	seqs := make([]kalam.Seq, len(changes))
	for i := range seqs {
		seqs[i] = s.Store.Clock().Last()
	}
	return s.returnRows(ctx, a, changes, seqs, func(ctx context.Context, res *read.Rows) error {
		return res.Each(ctx, func([]kalam.Value) error { return nil })
	})
}

// returnColumns sends columns of the written rows.
func (s *Session) returnColumns(t *kalam.Table, out []read.Column, changes []change, seqs []kalam.Seq) error {
	if err := s.startRows(s.columnsHeader(out)); err != nil {
		return err
	}
	rows := returnedRows(changes, seqs)
	for _, row := range rows {
		vals, err := read.ColumnValues(t, out, row)
		if err != nil {
			return err
		}
		if err := s.out.Values(vals); err != nil {
			return err
		}
	}
	return s.out.EndRows(RowsTrailer{RowCount: int64(len(rows))})
}

// returnedRows are the rows of a statement, in its order: as they are now, a deleted one
// as it was.
func returnedRows(changes []change, seqs []kalam.Seq) []kalam.Row {
	rows := make([]kalam.Row, 0, len(changes))
	for i, c := range changes {
		if seqs[i] != 0 {
			rows = append(rows, kalam.Row{Seq: seqs[i], Deleted: c.Kind == kalam.ChangeDelete, Payload: c.Payload})
		}
	}
	return rows
}

// writtenRelation is the name under which RETURNING reads the written rows. It
// begins with '_', so that no table can have it.
const writtenRelation = "_written"

// returnRows evaluates the RETURNING list over the written rows and hands the
// running query to use.
func (s *Session) returnRows(
	ctx context.Context, a *answer, changes []change, seqs []kalam.Seq, use func(context.Context, *read.Rows) error,
) error {
	t := a.table
	stored, err := read.BatchesOf(t, returnedRows(changes, seqs))
	if err != nil {
		return err
	}
	defer read.ReleaseBatches(stored)
	batches, release := read.WithoutSeqs(stored, func(seq kalam.Seq) bool { return seq == read.UnknownSeq })
	defer release()
	sql, params, err := s.returningQuery(ctx, a)
	if err != nil {
		return err
	}
	written := read.Given{Source: &query.Source{Schema: datatype.TableSchema(t), Batches: batches}, Of: t}
	res, err := s.Open(ctx, sql, params, read.Options{Given: map[string]read.Given{writtenRelation: written},
		Composed: true})
	if err != nil {
		return err
	}
	defer res.Close()
	return use(ctx, res)
}

// returningQuery composes the query of a RETURNING list.
func (s *Session) returningQuery(ctx context.Context, a *answer) (string, []kalam.Value, error) {
	params := placeholders.New(s.params)
	var sql strings.Builder
	sql.WriteString("SELECT ")
	for i, x := range a.returning {
		if i > 0 {
			sql.WriteString(", ")
		}
		if x.SQL == "*" {
			sql.WriteString("*")
			continue
		}
		if err := s.Query.CheckExpr(ctx, s.Principal.User, x.SQL); err != nil {
			return "", nil, a.edits.Place(err, x.Pos)
		}
		sql.WriteString(params.Rewrite(x.SQL))
		if x.Alias != "" {
			sql.WriteString(" AS " + sqltext.QuoteIdent(x.Alias))
		}
	}
	from, _ := schema.StandIn(writtenRelation, a.table, a.alias)
	sql.WriteString(" FROM " + from)
	text := params.Compose(s.with, sql.String())
	return text, params.Values(), nil
}
