package systables

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
)

// auditShown is how many records of the audit log are shown, the newest: they are held in memory, and the log may be
// larger than that.
const auditShown = 100_000

// Audit is the table of the audit log.
func Audit(log *audit.Log) []Table {
	return []Table{{Closed("audit_log", `audit_id TEXT, timestamp TIMESTAMP, actor_user_id TEXT?, actor_role TEXT?
effective_user_id TEXT?, action TEXT, outcome TEXT, target TEXT?, subject_user_id TEXT?, details TEXT?, ip_address TEXT?
credential TEXT?, request_id TEXT?, changed JSON?, repeats BIGINT, first_repeat_at TIMESTAMP?, hash TEXT`),
		func(ctx context.Context, _ Viewer) (rows [][]kalam.Value, err error) {
			err = log.Newest(ctx, auditShown, func(r audit.Record) error {
				row, err := auditRow(&r)
				rows = append(rows, row)
				return err
			})
			return rows, err
		}}}
}

func auditRow(r *audit.Record) ([]kalam.Value, error) {
	changed := kalam.Null()
	if len(r.Changed) > 0 {
		text, err := json.Marshal(r.Changed)
		if err != nil {
			return nil, fmt.Errorf("show audit record %d: %w", r.Number, err)
		}
		changed = kalam.JSON(string(text))
	}
	at := kalam.Integer(kalam.KindTimestamp, max(r.Time.UnixMicro(), 0)) // That of a damaged record is not known.
	return []kalam.Value{
		kalam.Text(fmt.Sprintf("%016d", r.Number)), at, TextOrNull(r.Actor), TextOrNull(r.Role), TextOrNull(r.User),
		kalam.Text(r.Action), kalam.Text(r.Outcome), TextOrNull(r.Target), TextOrNull(r.Subject), TextOrNull(r.Details),
		TextOrNull(r.Address), TextOrNull(r.By), TextOrNull(r.Request), changed, kalam.BigInt(r.Repeats),
		Timestamp(r.Earliest), kalam.Text(hex.EncodeToString(r.Hash[:])),
	}, nil
}
