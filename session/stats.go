package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
)

// tableStats sums what the principal may see of t: their own scope, or for
// admins all scopes.
func (s *Session) tableStats(ctx context.Context, t *kalam.Table) (sum buffer.Counts, err error) {
	since := kalam.Seq(0) // Below it rows have expired.
	if t.Expires() {
		since = kalam.SeqAt(s.Now.Add(-t.Options.TTL))
	}
	if err := s.Access.May(s.Principal, t, access.Count); s.IsRestricted(t) {
		return sum, err
	} else if err != nil {
		return s.Store.Counts(ctx, t, s.Scope(t), since)
	}
	for sc, err := range s.Store.Scopes(ctx, t.Number) {
		if err != nil {
			return sum, err
		}
		c, err := s.Store.Counts(ctx, t, sc, since)
		if err != nil {
			return sum, err
		}
		sum.Add(c)
	}
	return sum, nil
}
