package buffer

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// recordEdit replaces the record of a scope.
type recordEdit struct {
	made bool
	op   Op
	undo Op // Puts the other one back should the batch fail.
}

func newRecordEdit(id kalam.Scope, from, to *lakeState) (e recordEdit, err error) {
	key := rowlog.ScopePrefix(id)
	e.op = Op{Keyspace: rowlog.KeyspaceRecords, Key: key}
	e.undo = Op{Keyspace: rowlog.KeyspaceRecords, Key: key, Delete: from.Version == 0}
	if e.op.Value, err = encodeRecord(to); err != nil {
		return recordEdit{}, err
	}
	if from.Version > 0 {
		if e.undo.Value, err = encodeRecord(from); err != nil {
			return recordEdit{}, err
		}
	}
	e.made = true
	return e, nil
}

// putRecord adds an edit to the batch.
func (c *committer) putRecord(e *recordEdit) {
	c.put(e.op)
	c.restore = append(c.restore, e.undo)
}

// put adds an op to the group's batch.
func (c *committer) put(op Op) { c.ops = append(c.ops, op) }

// putBlock adds a block of the row log to the group's batch.
func (c *committer) putBlock(b rowlog.Block) {
	c.put(Op{Keyspace: rowlog.KeyspaceRows, Key: b.Key, Value: b.Value, Bulk: true})
}

// intentKey returns the key of the intent of the group.
func (c *committer) intentKey() []byte {
	return rowlog.IntentKey(rowlog.SeqRange{First: c.first, Last: c.last})
}

// took notes the seqs of a staged write.
func (c *committer) took(seq kalam.Seq) {
	if c.first == 0 {
		c.first = seq
	}
	c.last = seq
}
