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
}
