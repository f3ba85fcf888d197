package kalam

import "time"

// JobKind is the kind of a background job and the prefix of its id. Each kind is declared
// beside its task.
type JobKind string

// JobStatus is the state of a job.
type JobStatus string

// The states. Only pending>running>{completed,failed,cancelled,skipped},
// running>retrying>running and pending>cancelled are possible.
const (
	JobPending   JobStatus = "pending"
	JobRunning   JobStatus = "running"
	JobRetrying  JobStatus = "retrying"
	JobCompleted JobStatus = "completed"
	JobFailed    JobStatus = "failed"
	JobCancelled JobStatus = "cancelled"
	JobSkipped   JobStatus = "skipped"
)

// Done reports whether s is final.
func (s JobStatus) Done() bool {
	switch s {
	case JobCompleted, JobFailed, JobCancelled, JobSkipped:
		return true
	case JobPending, JobRunning, JobRetrying:
	}
	return false
}

// ETA returns when the job will have done all of its steps if it goes on as it did, the zero time when that is not
// known.
func (j *Job) ETA() time.Time {
	if j.Status != JobRunning || j.Total == 0 || j.Rate <= 0 || j.Done > j.Total {
		return time.Time{}
	}
	left := float64(j.Total-j.Done) / j.Rate * float64(time.Second)
	if left > float64(maxETA) {
		return time.Time{}
	}
	return j.UpdatedAt.Add(time.Duration(left))
}

// maxETA is a time so far off that it says nothing.
const maxETA = 1000 * time.Hour

// Job is the record of one job, stored before it starts and at each change of
// state. Times are zero when not reached.
type Job struct {
	ID         JobID       `json:"job_id"`
	Kind       JobKind     `json:"kind"`
	Status     JobStatus   `json:"status"`
	Namespace  NamespaceID `json:"namespace_id,omitempty"`
	Table      TableName   `json:"table_name,omitempty"`
	Number     TableNumber `json:"table_number,omitempty"`
	Parameters string      `json:"parameters,omitempty"` // JSON.
	Key        string      `json:"idempotency_key,omitempty"`
	Progress   string      `json:"progress,omitempty"`
	Done       int64       `json:"done,omitempty"`  // Steps of the try that are done, of
	Total      int64       `json:"total,omitempty"` // so many; 0 while that is not known.
	Rate       float64     `json:"rate,omitempty"`  // Steps a second in this try.
	Message    string      `json:"message,omitempty"`
	Result     string      `json:"result,omitempty"` // JSON.
	Error      string      `json:"error,omitempty"`
	Exception  string      `json:"exception_trace,omitempty"` // Stack of a panic.
	Trace      string      `json:"trace,omitempty"`           // "{node}:{worker}".
	Priority   int         `json:"priority,omitempty"`        // Higher starts first.
	Retries    int         `json:"retry_count"`
	MaxRetries int         `json:"max_retries"`
	MemoryUsed int64       `json:"memory_used"` // Peak bytes.
	CPUUsed    int64       `json:"cpu_used"`    // Microseconds.
	CreatedAt  time.Time   `json:"created_at"`
	UpdatedAt  time.Time   `json:"updated_at"`
	StartedAt  time.Time   `json:"started_at"`
	FinishedAt time.Time   `json:"finished_at"`
	NextTryAt  time.Time   `json:"next_try_at,omitzero"` // Of a job that is retrying.
}
