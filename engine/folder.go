package engine

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

// prepareFolder makes the folder of a SHARED table in its storage, before the
// table becomes visible. Folders of users are made by their first flush.
func (e *Engine) prepareFolder(ctx context.Context, t *kalam.Table) error {
	if err := e.lake.CheckStrategy(t.Options.ShardStrategy); err != nil {
		return err
	}
	if !t.IsShared() {
		return nil
	}
	if _, _, err := e.lake.Folder(t.Options.StorageID, t, ""); err != nil {
		return err
	}
	return e.lake.WriteManifest(ctx, t, "", lake.Manifest{})
}
