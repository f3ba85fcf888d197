package query

import (
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
)

// Args are what a query gets beside its sources.
type Args struct {
	Params []kalam.Value // Of the placeholders $1, $2, ... A TEXT behaves like a string literal.
	User   kalam.UserID  // CURRENT_USER.
	Role   kalam.Role    // CURRENT_ROLE.
	Now    time.Time     // NOW(), in microseconds and UTC.
	// Namespace is CURRENT_SCHEMA: that of names without one.
	Namespace kalam.NamespaceID
}

// value returns the value of an argument.
func (args *Args) value(kind guard.ArgKind, zone *time.Location) kalam.Value {
	switch kind {
	case guard.ArgLocal:
		_, offset := args.Now.In(zone).Zone()
		return kalam.Integer(kalam.KindTimestamp, args.Now.Add(time.Duration(offset)*time.Second).UnixMicro())
	case guard.ArgUser:
		return kalam.Text(string(args.User))
	case guard.ArgRole:
		return kalam.Text(args.Role.String())
	case guard.ArgNamespace:
		return kalam.Text(string(args.Namespace))
	case guard.ArgNow:
	}
	return kalam.Integer(kalam.KindTimestamp, args.Now.UnixMicro())
}
