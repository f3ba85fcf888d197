package systables

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
)

// keyRows lists the API keys: all of them for admins, their own for others. Of the key itself there is nothing to show.
func (c *Catalog) keyRows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	all := access.Has(v.Principal, access.SeeKeys)
	var rows [][]kalam.Value
	for _, k := range c.Catalog.Keys() {
		if !all && k.User != v.Principal.User {
			continue
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(k.ID), kalam.Text(k.Name), Text(k.User), TextOrNull(k.Restriction.String()), Text(k.CreatedBy),
			Timestamp(k.CreatedAt), Timestamp(k.ExpiresAt), kalam.Bool(k.Expired(c.Catalog.Now())), Timestamp(k.LastUsed),
		})
	}
	return rows, nil
}
