package jobs

import (
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
)

// transitions are the possible changes of state. Final states have none.
var transitions = map[kalam.JobStatus][]kalam.JobStatus{
	kalam.JobPending:  {kalam.JobRunning, kalam.JobCancelled},
	kalam.JobRunning:  {kalam.JobCompleted, kalam.JobFailed, kalam.JobCancelled, kalam.JobSkipped, kalam.JobRetrying},
	kalam.JobRetrying: {kalam.JobRunning},
}

// CanChange reports whether a job in state from may change to state to.
func CanChange(from, to kalam.JobStatus) bool {
	for _, s := range transitions[from] {
		if s == to {
			return true
		}
	}
	return false
}

// change moves j to another state and keeps its times.
func change(j *kalam.Job, to kalam.JobStatus, now time.Time) error {
	if !CanChange(j.Status, to) {
		return fmt.Errorf("job %s cannot change from %s to %s", j.ID, j.Status, to)
	}
	j.Status, j.UpdatedAt = to, now
	if to == kalam.JobRunning && j.StartedAt.IsZero() {
		j.StartedAt = now
	}
	if to.Done() {
		j.FinishedAt = now
	}
	return nil
}

// cancelPath returns the states through which a waiting or running job becomes cancelled.
func cancelPath(from kalam.JobStatus) []kalam.JobStatus {
	if from == kalam.JobRetrying {
		return []kalam.JobStatus{kalam.JobRunning, kalam.JobCancelled}
	}
	return []kalam.JobStatus{kalam.JobCancelled}
}
