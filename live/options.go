package live

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

// Options choose the initial data. The zero value is all rows.
type Options struct {
	LastRows  int       `json:"last_rows,omitempty"`  // The newest n rows only; 0 is all.
	BatchSize int       `json:"batch_size,omitempty"` // Rows of a batch; 0 is DefaultBatchSize.
	From      kalam.Seq `json:"from,omitempty"`       // Only rows with a higher seq; it wins over LastRows.
	// Undelivered events before the reader is closed; 0 is live.buffer_events.
	BufferSize int `json:"buffer_size,omitempty"`
}

// Bounds of Options.
const (
	DefaultBatchSize = 1000
	MaxLastRows      = 10000
)

// check refuses options out of bounds.
func (o *Options) check() error {
	switch {
	case o.LastRows < 0 || o.LastRows > MaxLastRows:
		return kalam.Errorf(kalam.CodeUnsupported, "last_rows must be between 0 and %d, got %d", MaxLastRows,
			o.LastRows)
	case o.BatchSize < 0 || o.BatchSize > MaxLastRows:
		return kalam.Errorf(kalam.CodeUnsupported, "batch_size must be between 1 and %d, got %d", MaxLastRows,
			o.BatchSize)
	case o.BufferSize < 0:
		return kalam.Errorf(kalam.CodeUnsupported, "buffer_size must be at least 1, got %d", o.BufferSize)
	}
	return nil
}

// OptionsOf returns the options of SUBSCRIBE TO.
func OptionsOf(o *ast.SubscribeOptions) *Options {
	value := func(p *int) int {
		if p == nil {
			return 0
		}
		return *p
	}
	out := &Options{LastRows: value(o.LastRows), BatchSize: value(o.BatchSize), BufferSize: value(o.BufferSize)}
	if o.From != nil {
		out.From = *o.From
	}
	return out
}

// Invitation returns what a client sends to subscribe as SUBSCRIBE TO says, as JSON. number makes its id unique.
func Invitation(st *ast.SubscribeTo, number uint64, params []kalam.Value) (string, error) {
	sub := map[string]any{
		"id": fmt.Sprintf("sub-%s-%x", strings.ReplaceAll(st.Table.String(), ".", "-"), number), "sql": st.Query,
	}
	if len(params) > 0 {
		sub["params"] = ParamsJSON(params)
	}
	if st.Options != nil {
		sub["options"] = OptionsOf(st.Options)
	}
	b, err := json.Marshal(sub)
	return string(b), err
}
