package badger

import (
	"context"
	"fmt"
)

// collect moves the values out of files that are mostly dead, whose space it
// gives back. Files that are dead as a whole do not wait for it. It ends early at
// Close.
func (b *Backend) collect(ctx context.Context) error { return b.move(ctx, b.large.sparse) }

// move moves the values of the keys that choose returns, some bytes at a time, until it
// returns none.
func (b *Backend) move(ctx context.Context, choose func(most int64) []string) error {
	damaged := map[string]bool{}
	for {
		select {
		case <-b.quit:
			return nil
		default:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		moved, err := b.moveSome(choose, damaged)
		if err != nil || !moved {
			return err
		}
	}
}

// moveSome moves some values. One that is damaged stays where it is, for its
// readers to notice.
func (b *Backend) moveSome(choose func(most int64) []string, damaged map[string]bool) (moved bool, err error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	var ops []storedOp
	for _, key := range choose(collectBytes) {
		p, ok := b.large.pointerOf(key)
		if !ok || damaged[key] {
			continue
		}
		value, err := b.large.read(p, nil)
		if err != nil {
			damaged[key] = true
			b.log.Error("a value of the write buffer is damaged", "directory", b.dir, "error", err)
			continue
		}
		ops = append(ops, storedOp{key: []byte(key), value: value})
		if len(ops) == b.limits.Ops {
			break
		}
	}
	if len(ops) == 0 {
		return false, nil
	}
	if err := b.writeLocked(ops); err != nil {
		return false, fmt.Errorf("move %d values: %w", len(ops), err)
	}
	return true, nil
}
