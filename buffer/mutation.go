package buffer

import (
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Mutation is one write of one row.
//
//   - An insert needs a key that is not live; a deleted key may be inserted
//     again. With Free its writer has seen that the key was free, and one that is
//     taken since is a conflict, which the writer resolves by looking again.
//   - An update or delete needs Expect to be the seq of the key's live version.
//     The Payload of a delete is that of the deleted row: a tombstone carries all
//     values.
//   - With Own the key was written by an earlier mutation of the same Apply, and
//     the rules hold for that version; Expect is ignored.
type Mutation struct {
	Table        *kalam.Table
	Scope        kalam.Scope
	Kind         kalam.ChangeKind
	Key          []byte // Of the key encoding of package datatype.
	Payload      []byte // Of its row encoding.
	Expect       kalam.Seq
	Old          kalam.Row // The version that an update or delete replaces, for the change that is published.
	SkipExisting bool      // An insert of a live key is skipped instead of refused.
	Free         bool
	Own          bool
}

// DuplicateKeyError refuses an insert whose primary key is taken. Its code is
// kalam.CodeAlreadyExists.
type DuplicateKeyError struct {
	Index int // Of the mutation in Apply's argument.
	err   *kalam.Error
}

// Error says which row it was.
func (e *DuplicateKeyError) Error() string { return e.err.Error() }

// Unwrap returns the *kalam.Error.
func (e *DuplicateKeyError) Unwrap() error { return e.err }

func duplicateKey(i int, t *kalam.Table) error {
	return &DuplicateKeyError{Index: i, err: kalam.Errorf(kalam.CodeAlreadyExists,
		"row %d: its primary key already exists in table '%s'", i+1, t.ID)}
}

// conflict is the error of a mutation whose row is not what its writer read.
func conflict(i int, t *kalam.Table) error {
	return kalam.Errorf(kalam.CodeConflict, "row %d: it was changed in table '%s' by another statement", i+1, t.ID)
}

// checkMutations refuses what no caller should hand over.
func checkMutations(muts []Mutation, limits Limits) error {
	for i := range muts {
		m := &muts[i]
		switch {
		case m.Table == nil || m.Table.Number != m.Scope.Table:
			return fmt.Errorf("mutation %d: its table is not that of its scope", i)
		case len(m.Key) == 0:
			return fmt.Errorf("mutation %d: it has no key", i)
		case m.Kind < kalam.ChangeInsert || m.Kind > kalam.ChangeDelete:
			return fmt.Errorf("mutation %d: unknown kind %d", i, m.Kind)
		case int64(rowlog.MaxEntrySize(m.Key, m.Payload)+rowlog.MaxBlockBytes+rowlog.BlockHeader) > limits.Value:
			return kalam.Errorf(kalam.CodeTooLarge, "row %d: %d bytes are more than table '%s' can take",
				i+1, len(m.Payload), m.Table.ID)
		}
	}
	return nil
}
