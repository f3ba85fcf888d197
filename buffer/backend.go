package buffer

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
)

// Errors of a Backend, for errors.Is.
var (
	ErrKeyspaceNotFound = errors.New("keyspace not found")
	ErrKeyspaceExists   = errors.New("keyspace exists")
	ErrInvalidKeyspace  = errors.New("invalid keyspace name")
	ErrKeyNotFound      = errors.New("key not found")
	ErrBatchFailed      = errors.New("batch failed")
	ErrNotSupported     = errors.New("not supported")
)

// DamageError reports a stored value that cannot be read back. Its code is
// kalam.CodeCorrupt.
type DamageError struct {
	Keyspace string
	Key      []byte
	err      *kalam.Error
}

// NewDamageError returns the error of a damaged value; cause says what is wrong.
func NewDamageError(keyspace string, key []byte, cause error) *DamageError {
	return &DamageError{Keyspace: keyspace, Key: key,
		err: kalam.Wrap(kalam.CodeCorrupt, cause, "a record of keyspace %s is damaged", keyspace)}
}

// Error says what is damaged.
func (e *DamageError) Error() string { return e.err.Error() }

// Unwrap returns the *kalam.Error.
func (e *DamageError) Unwrap() error { return e.err }

// Op is one write of a batch.
type Op struct {
	Keyspace string
	Key      []byte
	Value    []byte // Ignored by a delete.
	Delete   bool
	// Bulk marks data that users add. A Backend may keep a reserve of its disk
	// from batches with such an op, so that what gives back space can be written.
	Bulk bool
}

// Limits bound one batch of a Backend.
type Limits struct {
	Ops   int   // Most ops.
	Bytes int64 // Most bytes of keys and values, without the values that are large.
	Large int64 // A value of this length or more is large; 0: none is.
	Value int64 // The longest value.
}

// Size returns what an op with a key and a value of the given lengths counts
// towards Bytes.
func (l Limits) Size(key, value int) int64 {
	if l.Large > 0 && int64(value) >= l.Large {
		return int64(key)
	}
	return int64(key) + int64(value)
}

// Check returns ErrNotSupported, and says why, when a batch is above the limits.
func (l Limits) Check(ops []Op) error {
	if len(ops) > l.Ops {
		return fmt.Errorf("%w: batch of %d ops (maximum %d)", ErrNotSupported, len(ops), l.Ops)
	}
	var total int64
	for i := range ops {
		if int64(len(ops[i].Value)) > l.Value {
			return fmt.Errorf("%w: value of %d bytes (maximum %d)", ErrNotSupported, len(ops[i].Value), l.Value)
		}
		total += l.Size(len(ops[i].Key), len(ops[i].Value))
	}
	if total > l.Bytes {
		return fmt.Errorf("%w: batch of %d bytes (maximum %d)", ErrNotSupported, total, l.Bytes)
	}
	return nil
}

// Reader reads one consistent state of a Backend.
type Reader interface {
	// Get returns the value of a key, or ErrKeyNotFound. The value is the
	// caller's.
	Get(ctx context.Context, keyspace string, key []byte) ([]byte, error)
	// Scan calls f for every key in [start, end) in byte order; a nil end is
	// open. key and value are valid during the call only. f may read from the
	// same backend, but not write. An error of f ends the scan and is returned. A
	// value that cannot be read ends it with a *DamageError; a scan that starts
	// behind its key passes it over.
	Scan(ctx context.Context, keyspace string, start, end []byte, f func(key, value []byte) error) error
}

// Snapshot is one state of a Backend, that between two batches, however much is written meanwhile. It is
// safe for concurrent use.
type Snapshot interface {
	Reader
	// Keyspaces returns the names of the keyspaces in their order.
	Keyspaces() []string
	// Close ends the snapshot: until then it keeps what was deleted or overwritten since. It may be called twice.
	// The Close of the Backend waits for it.
	Close()
}

// Backend stores bytes durably, in named keyspaces. It is the seam at which
// another store, or a replicated one, takes Badger's place: Apply is the only
// way to write rows. Implementations are safe for concurrent use and pass the
// suite of package buffertest.
type Backend interface {
	Reader
	// Apply writes all ops or none and returns when they are durable. A value replaces
	// the one of its key; a delete of a missing key is no error. A full disk
	// is kalam.CodeResourceExhausted. A batch above MaxBatch is ErrNotSupported.
	// The bytes may be reused after it returns. Of two ops on one key the later
	// wins. After any other error the caller must not assume that nothing was
	// written: the batch may be there after a restart, but then as a whole.
	Apply(ctx context.Context, ops []Op) error
	// Keys is Scan without the values, which it does not read.
	Keys(ctx context.Context, keyspace string, start, end []byte, f func(key []byte) error) error
	// Snapshot fixes the present state. It holds every batch whose Apply has returned, and each
	// other as a whole or not at all. The caller closes it.
	Snapshot(ctx context.Context) (Snapshot, error)
	// MaxBatch returns the limits of a batch. They do not change.
	MaxBatch() Limits

	// CreateKeyspace makes a keyspace, or returns ErrKeyspaceExists. A name is
	// 1 to 64 of [A-Za-z0-9_]; those of the system begin with "sys_".
	CreateKeyspace(ctx context.Context, name string) error
	// Keyspaces returns the names in their order.
	Keyspaces(ctx context.Context) ([]string, error)
	// DropKeyspace removes a keyspace and all its keys.
	DropKeyspace(ctx context.Context, name string) error
	// Close makes everything durable and ends the use of the store.
	Close() error
}

// CheckKeyspace returns ErrInvalidKeyspace unless name can name a keyspace.
func CheckKeyspace(name string) error {
	if len(name) == 0 || len(name) > 64 {
		return fmt.Errorf("%w: %d bytes long (1 to 64)", ErrInvalidKeyspace, len(name))
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return fmt.Errorf("%w: %q may only hold letters, digits and '_'", ErrInvalidKeyspace, name)
		}
	}
	return nil
}
