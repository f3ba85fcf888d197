package backup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// choose returns the backup to restore and the seq as of which; the seq of the backup when all of it is wanted.
func (o *RestoreOptions) choose(ctx context.Context, d *Destination) (*Manifest, kalam.Seq, error) {
	list, err := d.List(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(list) == 0 {
		return nil, 0, kalam.Errorf(kalam.CodeNotFound, "there is no backup in %s", d.Location())
	}
	seq := o.AtSeq
	if !o.At.IsZero() {
		seq = kalam.SeqAt(o.At.Add(time.Millisecond)) - 1 // The last of its millisecond.
	}
	if o.ID != "" || seq == 0 {
		return o.named(list, seq, d)
	}
	for _, b := range list { // The oldest that knows so much.
		m := b.Manifest
		if m == nil {
			continue
		}
		if at := o.within(m, seq); m.Floor <= at && at <= m.Seq {
			return m, at, nil
		}
	}
	return nil, 0, kalam.Errorf(kalam.CodeInvalidInput, "no backup in %s can be restored as of seq %d; they can as of %s",
		d.Location(), seq, ranges(list))
}

// within returns the seq of the newest row for a time after it and before the backup: nothing was written between.
func (o *RestoreOptions) within(m *Manifest, seq kalam.Seq) kalam.Seq {
	if !o.At.IsZero() && !o.At.After(m.CreatedAt) {
		return min(seq, m.Seq)
	}
	return seq
}

// named returns the backup that is asked for by its id, or the newest.
func (o *RestoreOptions) named(list []Listed, seq kalam.Seq, d *Destination) (*Manifest, kalam.Seq, error) {
	b := list[len(list)-1]
	if o.ID != "" {
		found := false
		for _, b = range list {
			if found = b.ID == o.ID; found {
				break
			}
		}
		if !found {
			return nil, 0, kalam.Errorf(kalam.CodeNotFound, "there is no backup %s in %s", o.ID, d.Location())
		}
	}
	if b.Err != nil {
		return nil, 0, b.Err
	}
	m := b.Manifest
	seq = o.within(m, seq)
	switch {
	case seq == 0:
		return m, m.Seq, nil
	case seq > m.Seq:
		return nil, 0, kalam.Errorf(kalam.CodeInvalidInput, "the backup %s ends with seq %d, before seq %d", m.ID, m.Seq, seq)
	case seq < m.Floor:
		return nil, 0, kalam.Errorf(kalam.CodeInvalidInput, "the backup %s can be restored as of seq %d to %d, not as of %d: "+
			"rows of table %s were flushed or compacted up to there", m.ID, m.Floor, m.Seq, seq, m.FloorOf)
	}
	return m, seq, nil
}

// ranges lists the seqs as of which backups can be restored.
func ranges(list []Listed) string {
	const most = 20
	var parts []string
	for _, b := range list[max(0, len(list)-most):] {
		if b.Manifest != nil {
			parts = append(parts, fmt.Sprintf("%d to %d (%s)", b.Manifest.Floor, b.Manifest.Seq, b.ID))
		}
	}
	return strings.Join(parts, ", ")
}
