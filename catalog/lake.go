package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// LakeRecord says which lake a write buffer belongs to. The storage has the same
// id in its mark.
type LakeRecord struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	// Generation counts the starts. The mark has it too, and is written after the
	// record: one that is ahead means that the buffer is older than the storage.
	Generation uint64 `json:"generation"`
	// Restored is set when the buffer was once found to be older than the storage:
	// files that it does not know may hold rows that it has forgotten.
	Restored bool `json:"restored,omitempty"`
	// RestoredSeq is the highest seq that the buffer may have given out when that was
	// found; 0 while it is not restored. A segment up to it may be one that a newer
	// copy of the buffer names.
	RestoredSeq kalam.Seq `json:"restored_seq,omitempty"`
	// Unconfirmed is set before the storage's mark is written, and cleared after: a
	// storage without mark then is no other storage, but one whose mark was cut short.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
}

// ReadLake returns the lake's record in a backend; found is false when it has none.
// It changes nothing, and is for use before Open, which creates a catalog where
// there is none. A damaged record is CodeCorrupt, a newer one CodeUnsupported.
func ReadLake(ctx context.Context, b buffer.Reader) (r LakeRecord, found bool, err error) {
	raw, found, err := reader{b}.get(ctx, keyLake)
	if errors.Is(err, buffer.ErrKeyspaceNotFound) {
		return r, false, nil
	}
	if err != nil || !found {
		return r, false, err
	}
	if err := decodeRecord(keyLake, raw, &r); err != nil {
		return r, true, err
	}
	if r.ID == "" {
		return r, true, damaged(keyLake, "it has no id")
	}
	return r, true, nil
}

// WriteLake stores the lake's record. Like ReadLake it needs no Catalog.
func WriteLake(ctx context.Context, b buffer.Backend, r LakeRecord) error {
	s := store{backend: b}
	if err := s.create(ctx); err != nil {
		return err
	}
	raw, err := encodeRecord(keyLake, r)
	if err != nil {
		return err
	}
	return s.apply(ctx, []operation{{key: keyLake, value: raw}})
}

// CountTables returns how many tables a backend's catalog has, those included
// that are dropped and not yet forgotten. It reads keys and checks no record.
func CountTables(ctx context.Context, b buffer.Backend) (n int, err error) {
	for _, prefix := range []string{prefixTable, prefixDropped} {
		err := b.Keys(ctx, Keyspace, []byte(prefix), []byte(prefixEnd(prefix)), func([]byte) error {
			n++
			return nil
		})
		if errors.Is(err, buffer.ErrKeyspaceNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
