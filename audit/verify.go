package audit

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Verify follows the chain of all records, and tells problem what does not fit: records that are missing, changed or
// moved, and a log that ends before its last record. It returns how many records it looked at; a backend without a log
// has none and is whole. It changes nothing, and needs no Log.
func Verify(ctx context.Context, from buffer.Reader, problem func(error)) (records int64, err error) {
	v := &follower{problem: problem}
	raw, err := from.Get(ctx, Keyspace, []byte(keyChain))
	var damage *buffer.DamageError
	switch {
	case errors.Is(err, buffer.ErrKeyspaceNotFound):
		return 0, nil
	case errors.Is(err, buffer.ErrKeyNotFound):
	case errors.As(err, &damage):
		problem(damage)
	case err != nil:
		return 0, err
	default:
		if v.ends, err = decodeChain(raw); err != nil {
			problem(err)
		}
	}
	v.next, v.before = max(v.ends.first, 1), v.ends.before
	err = each(ctx, from, 0, func(number uint64, value []byte, damage error) error {
		v.record(number, value, damage)
		return ctx.Err()
	})
	if err == nil {
		v.end()
	}
	return v.seen, err
}

// follower follows a chain.
type follower struct {
	problem func(error)
	ends    chain // Zero when they are not known.
	next    uint64
	before  Hash
	broken  bool // The hash before is not known.
	seen    int64
}

// record looks at the next record.
func (v *follower) record(number uint64, value []byte, damage error) {
	v.seen++
	switch {
	case v.ends.first == 0 && v.seen == 1:
		v.next, v.broken = number, number > 1
	case number < v.next:
		v.wrong("audit record %d is older than the first of the log, which is %d", number, v.next)
		return
	case number > v.next:
		v.wrong("audit records %d to %d are missing", v.next, number-1)
		v.broken = true
	}
	v.next = number + 1
	var h Hash
	var body []byte
	if damage == nil {
		h, body, damage = split(number, value)
	}
	if damage != nil {
		v.problem(damage)
		v.broken = true
		return
	}
	if !v.broken && hashOf(v.before, number, body) != h {
		v.wrong("audit record %d was changed or moved: its hash does not fit", number)
	}
	v.before, v.broken = h, false
}

// end looks at where the log ends.
func (v *follower) end() {
	switch {
	case v.ends.first == 0:
		if v.seen > 0 {
			v.wrong("the ends of the audit log are missing")
		}
	case v.next != v.ends.last+1:
		v.wrong("the audit log ends with record %d, and was written up to %d", v.next-1, v.ends.last)
	case !v.broken && v.before != v.ends.hash:
		v.wrong("the last audit record, %d, was changed: its hash is not that at which the log ends", v.ends.last)
	}
}

func (v *follower) wrong(format string, args ...any) {
	v.problem(kalam.Errorf(kalam.CodeCorrupt, format, args...))
}
