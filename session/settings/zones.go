package settings

import (
	"context"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // The server may run where the system has none.

	"github.com/kalamlake/kalam"
)

// Zones finds time zones: those that this program and the query engine know. It is safe for concurrent use.
type Zones struct {
	// Check asks the query engine for a name: names that are like it, if it does not know it.
	Check func(ctx context.Context, user kalam.UserID, name string) (candidates []string, err error)

	known sync.Map // *time.Location by name.
}

// Find returns the zone of a name, whatever its case; nil for an unknown name, with names that are like it.
func (z *Zones) Find(ctx context.Context, user kalam.UserID, name string) (*time.Location, []string, error) {
	if len(name) > kalam.MaxIdentifier || name == "" || strings.EqualFold(name, "local") {
		return nil, nil, nil
	}
	if known, ok := z.known.Load(name); ok {
		return known.(*time.Location), nil, nil // The map holds nothing else.
	}
	candidates, err := z.Check(ctx, user, name)
	if err != nil {
		return nil, nil, err
	}
	if len(candidates) > 0 {
		return nil, candidates, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil { // The query engine does not mind the case.
		capital := capitals(name)
		if zone, err = time.LoadLocation(capital); err != nil {
			return nil, []string{capital}, nil //nolint:nilerr // Who asked is told that there is no such zone.
		}
		return zone, nil, nil
	}
	z.known.Store(name, zone)
	return zone, nil, nil
}

// capitals returns the name of a zone as most are written: Europe/Berlin, America/New_York.
func capitals(name string) string {
	out := []byte(strings.ToLower(name))
	for i, c := range out {
		if (i == 0 || strings.IndexByte("/_-", out[i-1]) >= 0) && c >= 'a' && c <= 'z' {
			out[i] = c - 'a' + 'A'
		}
	}
	return string(out)
}
