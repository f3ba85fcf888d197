package maintain

import "context"

// sweep removes replaced segments as their last readers end, until ctx does.
func (d *deps) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.obsolete.wake:
			d.removeObsolete(ctx)
		}
	}
}

// removeObsolete deletes the files of replaced segments that nobody reads. The
// oldest go first: a reader of the folder that knows no manifest must not find a
// row without the tombstone that came later. They stay while it is not certain that
// a power cut cannot bring back the manifest that names them. Those that a restored
// buffer shares with newer copies of it stay for good.
func (d *deps) removeObsolete(ctx context.Context) {
	d.obsolete.removing.Lock()
	defer d.obsolete.removing.Unlock()
	if d.lake.Held() {
		return // Who holds the files awakens the sweeper.
	}
	unread := d.obsolete.take()
	if len(unread) == 0 {
		return
	}
	if err := d.pair.Sync(context.WithoutCancel(ctx)); err != nil {
		d.log.Warn("files of compacted segments not removed; they are removed as orphans later", "error", err)
		return
	}
	for _, s := range unread {
		if d.pair.Shares(&s) {
			d.log.Info("file of a compacted segment kept: the write buffer is older than the storage", "path", s.Path)
			continue
		}
		if err := d.lake.Remove(context.WithoutCancel(ctx), &s); err != nil {
			d.log.Warn("file of a compacted segment not removed; it is removed as an orphan later", "path", s.Path,
				"error", err)
		}
	}
}
