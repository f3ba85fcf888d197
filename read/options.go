package read

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Options change where a query reads from. The zero value is the usual case: a fresh read point, or the transaction's.
type Options struct {
	Given    map[string]Given  // Relations that exist for this query only, by the first part of their name.
	Point    *buffer.ReadPoint // Read at this one, which stays the caller's.
	Serve    bool              // The text is the server's own and says what is shown, see access.Serve.
	Composed bool              // The text is put together by the server: positions in it mean nothing to the user.
	Deletes  bool              // The rows of Target are deleted; without it they are changed.
	Inner    bool              // Another statement takes the rows: * has no system columns.

	params    []kalam.Value      // Of the query.
	described bool               // It is not run: values of params are not known.
	histories map[string]history // Tables that are read as they were, by the name of their relation.
}

// Target stands, in the composed query of a statement, before the name of the table whose rows the statement changes.
// Its live rows are read, also where a condition on _deleted would show others: what is deleted can be neither changed
// nor deleted again.
const Target = "_target"
