package audit

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam/buffer"
)

// each calls f for the record of every number from one on, in their order. damage is the error of a value that cannot
// be read, which is nil then. value is valid during the call only. An error of f ends it.
func each(
	ctx context.Context, from buffer.Reader, first uint64, f func(number uint64, value []byte, damage error) error,
) error {
	start := recordKey(first)
	for {
		err := from.Scan(ctx, Keyspace, start, recordsEnd(), func(key, value []byte) error {
			number, ok := numberOf(key)
			if !ok {
				return f(0, nil, damaged(0, "its key is none"))
			}
			return f(number, value, nil)
		})
		var damage *buffer.DamageError
		switch {
		case errors.Is(err, buffer.ErrKeyspaceNotFound):
			return nil
		case !errors.As(err, &damage):
			return err
		}
		number, _ := numberOf(damage.Key)
		if err := f(number, nil, damage); err != nil {
			return err
		}
		start = append(append([]byte{}, damage.Key...), 0)
	}
}

// Scan calls f for every record of a backend from a number on, oldest first. One that is damaged is told as an event
// of ActionDamage. An error of f ends the scan and is returned.
func Scan(ctx context.Context, from buffer.Reader, first uint64, f func(Record) error) error {
	return each(ctx, from, first, func(number uint64, value []byte, damage error) error {
		var r Record
		if damage == nil {
			r, damage = decode(number, value)
		}
		if damage != nil {
			r = Record{Number: number, Event: Event{Action: ActionDamage, Details: damage.Error()}}
		}
		return f(r)
	})
}
