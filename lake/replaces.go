package lake

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

// seqSpan is a range of seqs, ends included; empty when to is 0.
type seqSpan struct{ from, to kalam.Seq }

func (r seqSpan) has(s kalam.Seq) bool { return s >= r.from && s <= r.to }

// replaces returns what the file says that it takes the place of.
func (f *parquetFile) replaces() (r seqSpan, err error) {
	from, err := f.number(MetaReplacesFrom)
	if err != nil {
		return r, err
	}
	to, err := f.number(MetaReplacesTo)
	if err != nil || from > to {
		return r, err
	}
	return seqSpan{kalam.Seq(from), kalam.Seq(to)}, nil
}
