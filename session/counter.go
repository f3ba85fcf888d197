package session

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
)

// nextCount takes a value of a column's counter, above floor and above what the
// open transaction has written.
func (s *Session) nextCount(
	ctx context.Context, id buffer.CounterID, c *kalam.Column, floor int64,
) (kalam.Value, error) {
	if s.txn != nil {
		floor = max(floor, s.txn.counts[id])
	}
	limit := datatype.MaxInt(c.Type.Kind)
	n, err := s.Store.NextCount(ctx, id, floor, limit)
	if errors.Is(err, buffer.ErrCounterSpent) {
		return kalam.Value{}, kalam.Errorf(kalam.CodeConstraint,
			"Column '%s': its counter is used up, %d is the highest %s; a BIGINT column is filled without a counter",
			c.Name, limit, c.Type)
	}
	return kalam.Integer(c.Type.Kind, n), err
}
