package remains

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// errStop ends a scan early.
var errStop = errors.New("stop")

// Of lists what the backend has of a user: the scopes with blocks, a record or counters, by
// table, also those of tables that were dropped. It reads a key or two of every table.
func Of(ctx context.Context, b buffer.Backend, user kalam.UserID) ([]kalam.Scope, error) {
	var found []kalam.Scope
	for _, keyspace := range rowlog.ScopeKeyspaces() {
		for next := kalam.TableNumber(0); ; next++ {
			n, more, err := tableFrom(ctx, b, keyspace, next)
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			next = n
			sc := kalam.Scope{Table: n, User: user}
			prefix := rowlog.ScopePrefix(sc)
			_, there, err := firstKey(ctx, b, keyspace, prefix, rowlog.PrefixEnd(prefix))
			if err != nil {
				return nil, err
			}
			if there && !slices.Contains(found, sc) {
				found = append(found, sc)
			}
		}
	}
	slices.SortFunc(found, func(a, b kalam.Scope) int { return cmp.Compare(a.Table, b.Table) })
	return found, nil
}

// tableFrom returns the lowest number from n on of a table with keys in a keyspace.
func tableFrom(
	ctx context.Context, b buffer.Backend, keyspace string, n kalam.TableNumber,
) (kalam.TableNumber, bool, error) {
	key, there, err := firstKey(ctx, b, keyspace, rowlog.TablePrefix(n), nil)
	if err != nil || !there {
		return 0, false, err
	}
	sc, _, err := rowlog.SplitScope(key)
	if err != nil {
		return 0, false, kalam.Wrap(kalam.CodeCorrupt, err, "a key of keyspace %s is damaged", keyspace)
	}
	return sc.Table, true, nil
}

// firstKey returns the first key in [start, end).
func firstKey(
	ctx context.Context, b buffer.Backend, keyspace string, start, end []byte,
) (key []byte, there bool, err error) {
	err = b.Keys(ctx, keyspace, start, end, func(k []byte) error {
		key, there = append([]byte(nil), k...), true
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, false, fmt.Errorf("scan keyspace %s: %w", keyspace, err)
	}
	return key, there, nil
}

// versioned is a backend that keeps old versions of values in its files for a time.
type versioned interface {
	// Versions counts the values and the deletions that the files hold of a range of keys.
	Versions(ctx context.Context, keyspace string, start, end []byte) (values, deletions int, err error)
}

// Versions returns how many versions of values the files of a backend hold of a user's scopes of
// some tables, deleted and overwritten ones included. A backend that keeps none has what Of lists.
func Versions(
	ctx context.Context, b buffer.Backend, user kalam.UserID, tables []kalam.TableNumber,
) (values int, err error) {
	v, ok := b.(versioned)
	if !ok {
		found, err := Of(ctx, b, user)
		return len(found), err
	}
	for _, n := range tables {
		start := rowlog.ScopePrefix(kalam.Scope{Table: n, User: user})
		for _, keyspace := range rowlog.ScopeKeyspaces() {
			count, _, err := v.Versions(ctx, keyspace, start, rowlog.PrefixEnd(start))
			if err != nil {
				return values, fmt.Errorf("count versions in keyspace %s: %w", keyspace, err)
			}
			values += count
		}
	}
	return values, nil
}

// FirstSeq returns the lowest seq of the blocks of a scope; false when it has none.
func FirstSeq(ctx context.Context, b buffer.Backend, sc kalam.Scope) (kalam.Seq, bool, error) {
	prefix := rowlog.ScopePrefix(sc)
	key, there, err := firstKey(ctx, b, rowlog.KeyspaceRows, prefix, rowlog.PrefixEnd(prefix))
	if err != nil || !there {
		return 0, false, err
	}
	_, seq, err := rowlog.SplitBlockKey(key)
	if err != nil {
		return 0, false, kalam.Wrap(kalam.CodeCorrupt, err, "a key of the row log of table %d is damaged", sc.Table)
	}
	return seq, true, nil
}
