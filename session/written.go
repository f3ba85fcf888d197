package session

import (
	"github.com/kalamlake/kalam/buffer"
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
