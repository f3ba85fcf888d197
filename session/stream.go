package session

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/read"
)

// stream sends the rows of a running query to the client, cut at
// limits.max_result_rows with a visible mark.
func (s *Session) stream(ctx context.Context, res *read.Rows) error {
	schema := res.Schema()
	fields := res.Fields()
	if err := s.checkFixed(fields); err != nil {
		return err
	}
	header := RowsHeader{Fields: fields, Arrow: schema, AsUser: s.Principal.User, Statement: s.statement}
	if err := s.startRows(header); err != nil {
		return err
	}
	limit := s.server.limits.Load().ResultRows
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

// columnsHeader begins a result of columns.
func (s *Session) columnsHeader(out []read.Column) RowsHeader {
	return RowsHeader{AsUser: s.Principal.User, Statement: s.statement, Fields: fieldsOf(out)}
}

// truncatedMessage is the mark of a result that was cut.
func truncatedMessage(n int64) string {
	return fmt.Sprintf("Result truncated to %d rows (limits.max_result_rows)", n)
}

// checkFixed returns an error when a result has other columns than the statement was prepared for.
func (s *Session) checkFixed(fields []read.Field) error {
	if s.fixed == nil || sameFields(s.fixed, fields) {
		return nil
	}
	return kalam.Errorf(kalam.CodeParameterMismatch, "with these parameters the prepared statement would give columns of"+
		" other types than it was prepared with: prepare it with the types of its parameters")
}
