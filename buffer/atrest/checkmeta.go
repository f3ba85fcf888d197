package atrest

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// CheckMeta reads the counters and the clock of a backend, and tells damage what of them is damaged. newest is the
// highest seq of any row: a clock that is behind it is damage, too. It needs no Store and changes nothing.
func CheckMeta(ctx context.Context, r buffer.Reader, newest kalam.Seq, damage func(error)) error {
	err := r.Scan(ctx, rowlog.KeyspaceCounts, nil, nil, func(key, value []byte) error {
		sc, column, err := rowlog.SplitCounterKey(key)
		if err == nil {
			_, err = rowlog.DecodeCounter(sc, column, value)
		}
		if err != nil {
			damage(err)
		}
		return nil
	})
	var bad *buffer.DamageError
	if errors.As(err, &bad) {
		damage(bad)
		err = nil
	}
	if err != nil && !errors.Is(err, buffer.ErrKeyspaceNotFound) {
		return fmt.Errorf("read counters: %w", err)
	}
	raw, err := r.Get(ctx, rowlog.KeyspaceMeta, []byte(rowlog.ClockKey))
	if errors.Is(err, buffer.ErrKeyNotFound) || errors.Is(err, buffer.ErrKeyspaceNotFound) {
		if newest > 0 {
			damage(kalam.Errorf(kalam.CodeCorrupt, "the clock of the write buffer is missing"))
		}
		return nil
	}
	if err != nil && !errors.As(err, &bad) {
		return fmt.Errorf("read clock: %w", err)
	}
	ceiling := kalam.Seq(0)
	if err == nil {
		ceiling, err = rowlog.DecodeClock(raw)
	}
	switch {
	case err != nil:
		damage(err)
	case ceiling < newest:
		damage(kalam.Errorf(kalam.CodeCorrupt, "the clock of the write buffer stands at %d, and a row has seq %d", ceiling,
			newest))
	}
	return nil
}
