package read

import (
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// history is a table of a query that is read as of a seq: every version of its rows is a relation of the query, which
// the text asks for the newest of each key up to that seq.
type history struct {
	table *kalam.Table
	seq   kalam.Seq
	pos   int // Of the seq in the text.
}

// historyRelation is the name of the n-th of them.
func historyRelation(n int) string { return fmt.Sprintf("_history_%d", n) }

// check refuses a seq at which the table was not, or of which versions of rows are missing.
func (h *history) check(view *buffer.View, last kalam.Seq, now time.Time) error {
	moment := func(seq kalam.Seq) string {
		return fmt.Sprintf("%d (%s)", uint64(seq), seq.Time().Format(time.RFC3339Nano))
	}
	switch from := view.CompleteFrom(); {
	case h.seq > last && h.seq.Time().After(now.Add(time.Second)):
		return kalam.Errorf(kalam.CodeInvalidOperation, "AT %s is in the future: the last commit is %s", moment(h.seq),
			moment(last)).At(h.pos)
	case h.seq < kalam.SeqAt(h.table.CreatedAt):
		return kalam.Errorf(kalam.CodeInvalidOperation, "AT %s is before table '%s' was created, at %s", moment(h.seq),
			h.table.ID, h.table.CreatedAt.UTC().Format(time.RFC3339Nano)).At(h.pos)
	case h.seq < from:
		return kalam.Errorf(kalam.CodeInvalidOperation,
			"AT %s is before the kept history of table '%s', which begins at %s: what was replaced before is gone",
			moment(h.seq), h.table.ID, moment(from)).At(h.pos)
	}
	return nil
}
