package maintain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

type orphansFake func() (OrphanResult, error)

func (f orphansFake) RemoveOrphans(context.Context) (OrphanResult, error) { return f() }

func TestRemoveOrphans(t *testing.T) {
	done := OrphanResult{FilesPurged: 2, BytesPurged: 20, FilesProtected: 1}
	for i := range 1500 {
		done.Trashed(OrphanFile{Storage: "local", Path: fmt.Sprint("p", i), Bytes: 2})
	}
	if done.FilesTrashed != 1500 || done.BytesTrashed != 3000 || len(done.Files) != 1000 {
		t.Errorf("%d files of %d bytes, %d listed", done.FilesTrashed, done.BytesTrashed, len(done.Files))
	}
	tests := []struct {
		name    string
		result  OrphanResult
		err     error
		status  kalam.JobStatus
		message string
		says    string // In the error or the result.
	}{
		{"done", done, nil, kalam.JobCompleted,
			"Moved 1500 file(s) to the trash, deleted 2 from it, left 1 that a manifest.json protects",
			`"files_trashed":1500,"bytes_trashed":3000,"files_protected":1,"files_purged":2,"bytes_purged":20`},
		{"nothing to do", OrphanResult{}, nil, kalam.JobCompleted, "Moved 0 file(s) to the trash, deleted 0 from it",
			`"files_trashed":0`},
		{"not everything known", OrphanResult{}, fmt.Errorf("%w: bad manifest", errIncompleteRecord), kalam.JobSkipped,
			"Nothing was removed: which files are in use cannot be known: bad manifest", ""},
		{"in part", OrphanResult{FilesPurged: 3}, errors.New("disk"), kalam.JobFailed,
			"Moved 0 file(s) to the trash, deleted 3 from it", "remove orphans: disk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := &removeOrphans{remover: orphansFake(func() (OrphanResult, error) { return tt.result, tt.err })}
			j := one(t, task, kalam.Job{MaxRetries: -1})
			if j.Status != tt.status || j.Message != tt.message || !strings.Contains(j.Error+j.Result, tt.says) {
				t.Errorf("job %s: %q, result %q, error %q", j.Status, j.Message, j.Result, j.Error)
			}
		})
	}
}
