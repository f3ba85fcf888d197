package systables

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/subscribe"
)

const liveColumns = `live_id TEXT, connection_id TEXT, subscription_id TEXT, namespace_id TEXT, table_name TEXT, user_id TEXT, query TEXT
options JSON?, status TEXT, changes BIGINT, node TEXT, node_id BIGINT, created_at TIMESTAMP, last_update TIMESTAMP?, last_ping_at TIMESTAMP?
queue_depth BIGINT, last_seq BIGINT?`

// Live are the tables of live queries. node and its number say where they are.
func Live(hub *subscribe.Hub, node string, nodeID int) []Table {
	l := &live{hub: hub, node: node, nodeID: nodeID}
	return []Table{
		{Open(access.System, "live", liveColumns), l.rows},
		{Open(access.System, "live_queries", liveColumns), l.rows},
	}
}

type live struct {
	hub    *subscribe.Hub
	node   string
	nodeID int
}

// rows lists the live queries: all for admins, their own for others.
func (l *live) rows(_ context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, q := range l.hub.Subscriptions() {
		if q.User != v.Principal.User && !access.Has(v.Principal, access.SeeLive) {
			continue
		}
		last := kalam.Null()
		if q.LastSeq != 0 {
			last = kalam.BigInt(int64(q.LastSeq))
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(q.ID), kalam.Text(q.Connection), kalam.Text(q.Subscription), Text(q.Table.Namespace), Text(q.Table.Name), Text(q.User),
			kalam.Text(q.SQL), JSONOrNull(q.Options), Text(q.Status), kalam.BigInt(q.Changes), kalam.Text(l.node),
			kalam.BigInt(int64(l.nodeID)), Timestamp(q.CreatedAt), Timestamp(q.LastUpdate), Timestamp(q.LastUpdate),
			kalam.BigInt(int64(q.QueueDepth)), last,
		})
	}
	return rows, nil
}
