package session

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
)

// change is a row that a statement writes or, if it is kept, found as it should be.
type change struct {
	buffer.Mutation
	kept bool // RETURNING gives the row, and nothing is written.
}

// mutationsOf returns what is to be written.
func mutationsOf(changes []change) []buffer.Mutation {
	muts := make([]buffer.Mutation, 0, len(changes))
	for i := range changes {
		if !changes[i].kept {
			muts = append(muts, changes[i].Mutation)
		}
	}
	return muts
}

func duplicateKey(t *kalam.Table, payload []byte) error {
	text := "?"
	if vals, err := datatype.DecodeRow(t, payload, nil); err == nil {
		text = datatype.KeyText(t, vals)
	}
	return kalam.Errorf(kalam.CodeAlreadyExists, "Primary key violation: value '%s' already exists in column '%s'",
		text, keyColumns(t))
}

// keyColumns names the primary key's columns, "a, b".
func keyColumns(t *kalam.Table) string {
	out := ""
	for i, k := range t.PrimaryKey {
		if i > 0 {
			out += ", "
		}
		out += t.Columns[k].Name
	}
	return out
}
