package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// retries lets an export wait for others, and outlast a storage that does not answer.
const retries = 1000

// priority lets everything else start first.
const priority = -20

// JobTypes are the making of an export, and the removal of expired ones.
func (e *Exporter) JobTypes() []jobs.Type {
	return []jobs.Type{
		{
			Kind: Kind, Name: "user_export", MaxRetries: retries,
			Task: func(kalam.Job) jobs.Task { return jobs.TaskFunc(e.run) },
		},
		{
			Kind: KindCleanup, Name: "export_cleanup",
			Key:      func(kalam.Job) string { return "export-cleanup" },
			Task:     func(kalam.Job) jobs.Task { return jobs.TaskFunc(e.clean) },
			Schedule: "@every 10m", Due: e.submitCleanup, Recover: func(ctx context.Context) error {
				e.submitCleanup(ctx)
				return nil
			},
		},
	}
}

// run makes the export of a job.
func (e *Exporter) run(ctx context.Context, h *jobs.Handle) error {
	job := h.Job()
	p, err := parametersOf(&job)
	if err != nil {
		return jobs.Permanent(err)
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	default:
		h.SetProgress("waits for other exports")
		return kalam.Errorf(kalam.CodeConflict, "%d exports are being made; this one waits", cap(e.slots))
	}
	watched, stop := e.Room(ctx)
	result, err := e.make(watched, h, p)
	err = e.Why(watched, err)
	stop()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case kalam.CodeOf(err) == kalam.CodeUnavailable: // A storage may answer again.
		return err
	case err != nil:
		return jobs.Permanent(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return jobs.Permanent(fmt.Errorf("encode the result of an export: %w", err))
	}
	h.SetResult(string(text), fmt.Sprintf("Exported %d row(s) of %d table(s), %d bytes; it can be downloaded until %s",
		result.Rows, result.Tables, result.Bytes, result.ExpiresAt.Format(time.RFC3339)))
	return e.keepNewest(p.User)
}

// make writes the file of an export and gives it its name.
func (e *Exporter) make(ctx context.Context, h *jobs.Handle, p parameters) (result Result, err error) {
	final := e.path(p.User, h.Job().ID)
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return result, fmt.Errorf("make the folder of exports: %w", err)
	}
	staged := final + ".tmp"
	f, err := os.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return result, fmt.Errorf("create the file of an export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(staged))
		}
	}()
	sum := sha256.New()
	out := &bounded{to: io.MultiWriter(f, sum), left: e.Config.MaxBytes, most: e.Config.MaxBytes}
	result, err = e.write(ctx, h, p, out)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return result, err
	}
	result.Bytes, result.SHA256 = e.Config.MaxBytes-out.left, hex.EncodeToString(sum.Sum(nil))
	result.ExpiresAt = e.Now().Add(time.Duration(e.Config.RetentionHours) * time.Hour).UTC().Truncate(time.Second)
	if err := os.Rename(staged, final); err != nil {
		return result, fmt.Errorf("name the file of an export: %w", err)
	}
	return result, errors.Join(syncFolder(filepath.Dir(final)), syncFolder(e.Dir))
}

// bounded ends with an error what would become too large.
type bounded struct {
	to         io.Writer
	left, most int64
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		return 0, kalam.Errorf(kalam.CodeResourceExhausted,
			"the export is larger than exports.max_bytes, which is %d; ask the administrator", b.most)
	}
	n, err := b.to.Write(p)
	b.left -= int64(n)
	return n, err
}

// keepNewest removes the oldest exports of a user who has too many.
func (e *Exporter) keepNewest(user kalam.UserID) error {
	names, err := e.names(user)
	if err != nil {
		return err
	}
	for len(names) > max(e.Config.MaxPerUser, 1) {
		if err := os.Remove(filepath.Join(e.folder(user), names[0].Name())); err != nil {
			return fmt.Errorf("remove an export: %w", err)
		}
		names = names[1:]
	}
	return nil
}
