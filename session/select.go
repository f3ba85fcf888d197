package session

import (
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
)

// query runs a SELECT and streams its rows to the client.
func (s *Session) query(ctx context.Context, st *ast.Select) error {
	if done, err := s.pointRead(ctx, st); done || err != nil {
		return err
	}
	res, err := s.Open(ctx, st.SQL, s.params, read.Options{})
	if err != nil {
		return st.Edits.Place(err, st.Pos)
	}
	defer res.Close()
	return s.stream(ctx, res)
}

// stream sends the rows of a running query to the client, cut at
// limits.max_result_rows with a visible mark.
func (s *Session) stream(ctx context.Context, res *read.Rows) error {
	schema := res.Schema()
	fields := res.Fields()
	if err := s.checkFixed(fields); err != nil {
		return err
	}
	header := RowsHeader{Fields: fields, Arrow: schema, AsUser: s.Principal.User, Statement: s.statement}
	if err := s.out.StartRows(header); err != nil {
		return err
	}
	limit := s.server.Limits.ResultRows
	var n int64
	hit := res.CacheHit()
	trailer := RowsTrailer{CacheHit: &hit}
	for {
		batch, err := res.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		rows := batch.NumRows()
		if limit > 0 && n+rows > limit {
			cut := batch.NewSlice(0, limit-n)
			batch.Release()
			batch, rows, trailer.Truncated = cut, limit-n, true
			trailer.Message = truncatedMessage(limit)
		}
		n += rows
		err = s.out.Batch(batch)
		batch.Release()
		if err != nil {
			return err
		}
		if trailer.Truncated {
			if err := res.Check(ctx); err != nil {
				return err
			}
			break
		}
	}
	trailer.RowCount = n
	return s.out.EndRows(trailer)
}
