package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/maintain/backup"
	"github.com/kalamlake/kalam/maintain/pair"
)

// backups makes copies of the lake.
type backups struct{ *deps }

// backupParameters are the parameters of a backup job.
type backupParameters struct {
	To string `json:"to"` // The id of a storage, or an absolute directory.
}

// jobType is the backup. Two to one destination are one.
func (b *backups) jobType() jobs.Type {
	return jobs.Type{
		Kind: backup.Kind, Name: "backup", Key: func(j kalam.Job) string { return "backup-" + j.Parameters },
		Task: func(kalam.Job) jobs.Task { return jobs.TaskFunc(b.run) },
	}
}

// Backup submits a backup to a storage or to an absolute directory; existing says that one was active already.
func (m *Maintainer) Backup(ctx context.Context, to string) (job kalam.Job, existing bool, err error) {
	if err := (&backups{m.deps}).check(to); err != nil {
		return job, false, err
	}
	text, err := json.Marshal(backupParameters{To: to})
	if err != nil {
		return job, false, fmt.Errorf("encode parameters of backup: %w", err)
	}
	return m.runner.Submit(ctx, kalam.Job{Kind: backup.Kind, Parameters: string(text)})
}

// check reports why a destination cannot be one.
func (b *backups) check(to string) error {
	if !filepath.IsAbs(to) {
		if to == string(kalam.LocalStorage) {
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"a backup does not go to the storage 'local': it would be lost together with what it is a copy of")
		}
		if strings.ContainsAny(to, `/\`) || to == "" {
			return kalam.Errorf(kalam.CodeInvalidInput,
				"'%s' is neither an absolute directory of the server nor the id of a storage", to)
		}
		if _, ok := b.catalog.Storage(kalam.StorageID(to)); !ok {
			return kalam.Errorf(kalam.CodeNotFound, "Storage '%s' does not exist", to)
		}
		return nil
	}
	used := b.pair.Dirs()
	for _, s := range b.catalog.Storages() {
		if s.ID != kalam.LocalStorage && filepath.IsAbs(s.BaseDirectory) {
			used = append(used, s.BaseDirectory)
		}
	}
	for _, dir := range used {
		if pair.Overlap(dir, to) {
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"the directory '%s' cannot hold backups: the server's own directory %s is in it or around it", to, dir)
		}
	}
	return nil
}

// open opens the destination of a job.
func (b *backups) open(ctx context.Context, to string) (*backup.Destination, error) {
	if err := b.check(to); err != nil {
		return nil, err
	}
	if filepath.IsAbs(to) {
		return backup.Open(ctx, to, true)
	}
	s, _, err := b.lake.Storage(kalam.StorageID(to))
	if err != nil {
		return nil, err
	}
	return backup.InStorage(ctx, s)
}

// run makes a backup. It holds the files of all segments, and has no effect before its end: it may be run again.
func (b *backups) run(ctx context.Context, h *jobs.Handle) (err error) {
	var p backupParameters
	if err := json.Unmarshal([]byte(h.Job().Parameters), &p); err != nil {
		return jobs.Permanent(fmt.Errorf("read parameters of backup: %w", err))
	}
	d, err := b.open(ctx, p.To)
	if err != nil {
		return lasting(err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	release := b.lake.Hold()
	defer b.obsolete.awaken()
	defer release()
	at := b.now()
	frozen, err := b.store.Freeze(ctx)
	if err != nil {
		return fmt.Errorf("fix the state to back up: %w", err)
	}
	defer frozen.Close()
	sum, err := backup.Run(ctx, backup.Source{Snapshot: frozen, Lake: b.lake, At: at}, d, backup.Options{
		Progress: func(p backup.Progress) {
			h.SetDone(int64(p.Done), int64(p.Segments), fmt.Sprintf("%d of %d segment(s) done, %d new file(s) of %d bytes; %d entries of the write buffer",
				p.Done, p.Segments, p.Copied, p.Bytes, p.Entries))
		},
	})
	if err != nil {
		return lasting(err)
	}
	text, err := json.Marshal(sum)
	if err != nil {
		return jobs.Permanent(fmt.Errorf("encode result of backup: %w", err))
	}
	words := fmt.Sprintf("Backup %s holds everything up to seq %d: %d segment(s), %d new file(s) of %d bytes", sum.ID, sum.Seq,
		sum.Segments, sum.Files, sum.Bytes)
	if n := len(sum.Damaged); n > 0 {
		words += fmt.Sprintf("; %d of the server's files or records were damaged before, the first: %s", n, sum.Damaged[0])
		b.log.Error("a backup was made of a lake with damage", "backup", sum.ID, "damaged", n, "first", sum.Damaged[0])
	}
	h.SetResult(string(text), words)
	return nil
}

// lasting keeps a job from trying again what somebody has to change first.
func lasting(err error) error {
	switch kalam.CodeOf(err) {
	case kalam.CodeInvalidOperation, kalam.CodeInvalidInput, kalam.CodeNotFound, kalam.CodeCorrupt:
		return jobs.Permanent(err)
	}
	return err
}
