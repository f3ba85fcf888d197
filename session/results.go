package session

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/read"
)

// Request is one request of a client: one or more statements with their
// parameters and default namespace.
type Request struct {
	SQL       string
	Params    []kalam.Value // Of the placeholders $1, $2, ...; BIGINT, DOUBLE, TEXT, BOOLEAN or NULL.
	Namespace kalam.NamespaceID
	Origin    audit.Origin // Who asks, for the audit log.
	RequestID string
}

// RowsHeader begins a row result.
type RowsHeader struct {
	Fields    []read.Field
	Arrow     *arrow.Schema // Of the batches that follow; nil when rows come by Values.
	AsUser    kalam.UserID
	Statement int // 1-based.
}

// RowsTrailer ends a row result.
type RowsTrailer struct {
	RowCount  int64
	Message   string
	CacheHit  *bool // nil: the statement has no plan.
	Truncated bool
}

// Done is the result of a statement without rows.
type Done struct {
	RowCount  int64
	Message   string
	AsUser    kalam.UserID
	Statement int
	JobIDs    []kalam.JobID
	CacheHit  *bool
}

// Results receives what a request gives, in the order of its statements and
// from one goroutine. Each row result is StartRows, then Batch or Values any
// number of times, then EndRows. An error of a method ends the request.
type Results interface {
	StartRows(RowsHeader) error
	Batch(arrow.RecordBatch) error // Not retained.
	Values([]kalam.Value) error    // One row; not retained.
	EndRows(RowsTrailer) error
	Done(Done) error
}

// StatementError is the error of Execute: which statement failed and why.
// Statement is 1-based, 0 when the request as a whole is at fault.
type StatementError struct {
	Statement int
	SQL       string
	Err       error
}

// Error names the statement.
func (e *StatementError) Error() string {
	if e.Statement == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("statement %d: %v", e.Statement, e.Err)
}

// Unwrap returns the cause.
func (e *StatementError) Unwrap() error { return e.Err }
