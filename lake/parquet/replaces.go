package parquet

import (
	"strconv"

	"github.com/kalamlake/kalam"
)

// Keys of the key-value metadata of a segment that a compaction wrote: it has all that
// counted, when it was written, of the rows of its scope with these seqs. What other
// files have beside was replaced, or was deleted so long ago that even the tombstone is
// forgotten.
const (
	MetaReplacesFrom = "kalam.replaces_from"
	MetaReplacesTo   = "kalam.replaces_to"
)

// AddReplaced adds to the metadata of a new segment that it takes the place of all
// segments of its scope from after seq on to last.
func AddReplaced(metadata map[string]string, after, last kalam.Seq) {
	metadata[MetaReplacesFrom] = strconv.FormatUint(uint64(after+1), 10)
	metadata[MetaReplacesTo] = strconv.FormatUint(uint64(last), 10)
}

// SeqSpan is a range of seqs, ends included; empty when to is 0.
type SeqSpan struct{ from, To kalam.Seq }

func (r SeqSpan) Has(s kalam.Seq) bool { return s >= r.from && s <= r.To }

// Replaces returns what the file says that it takes the place of.
func (f *File) Replaces() (r SeqSpan, err error) {
	from, err := f.Number(MetaReplacesFrom)
	if err != nil {
		return r, err
	}
	to, err := f.Number(MetaReplacesTo)
	if err != nil || from > to {
		return r, err
	}
	return SeqSpan{kalam.Seq(from), kalam.Seq(to)}, nil
}
