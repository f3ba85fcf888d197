package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// errStop ends a scan early.
var errStop = errors.New("stop")

// StoredRecord is the manifest of record of a scope.
type StoredRecord struct {
	Scope  kalam.Scope
	Record ScopeRecord
	Rows   []AdoptedRows // Of each segment.
}

// recordsPage is how many records are read in one scan of ScopeRecords.
const recordsPage = 256

// ScopeRecords yields every manifest of record in a backend, by table and user, also
// those of tables that nobody knows any more. One that cannot be read is yielded as
// an error, and the next follows; an error that ends the reading is the last thing
// it yields. So what it yields is complete if none of it is an error. Manifests
// that are committed meanwhile may be older or newer. It needs no Store and changes
// nothing.
func ScopeRecords(ctx context.Context, b Reader) iter.Seq2[StoredRecord, error] {
	return func(yield func(StoredRecord, error) bool) {
		var start []byte
		for {
			page, next, err := recordsFrom(ctx, b, start)
			for _, m := range page {
				if !yield(m.record, m.err) {
					return
				}
			}
			if err != nil {
				yield(StoredRecord{}, err)
				return
			}
			if next == nil {
				return
			}
			start = next
		}
	}
}

type recordOrError struct {
	record StoredRecord
	err    error
}

// recordsFrom reads some records from start on, and returns where the next ones
// begin, nil when there are none.
func recordsFrom(ctx context.Context, b Reader, start []byte) (page []recordOrError, next []byte, err error) {
	err = b.Scan(ctx, rowlog.KeyspaceRecords, start, nil, func(key, value []byte) error {
		if len(page) == recordsPage {
			next = bytes.Clone(key)
			return errStop
		}
		m, err := readStoredRecord(key, value)
		page = append(page, recordOrError{m, err})
		return nil
	})
	var damage *DamageError
	switch {
	case errors.Is(err, ErrKeyspaceNotFound), errors.Is(err, errStop):
		err = nil
	case errors.As(err, &damage):
		page = append(page, recordOrError{err: fmt.Errorf("read manifest of record: %w", err)})
		return page, append(bytes.Clone(damage.Key), 0), nil
	case err != nil:
		err = fmt.Errorf("read manifests of record: %w", err)
	}
	return page, next, err
}

func readStoredRecord(key, value []byte) (m StoredRecord, err error) {
	sc, rest, err := rowlog.SplitScope(key)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the scope", len(rest))
	}
	if err != nil {
		return m, kalam.Wrap(kalam.CodeCorrupt, err, "the key of a manifest of record is damaged")
	}
	m.Scope = sc
	l, err := decodeRecord(sc, value)
	if err != nil {
		return m, err
	}
	m.Record = l.ScopeRecord
	m.Rows = make([]AdoptedRows, len(l.vectors))
	for i, v := range l.vectors {
		m.Rows[i] = AdoptedRows{Dead: v.dead, Tombstones: v.tombstones}
	}
	return m, nil
}
