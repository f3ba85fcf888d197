package wire

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/kalamlake/kalam"
)

// Types of client frames.
const (
	TypeAuthenticate = "authenticate"
	TypeSubscribe    = "subscribe"
	TypeNextBatch    = "next_batch"
	TypeUnsubscribe  = "unsubscribe"
	TypePing         = "ping"
)

// Types of server frames.
const (
	TypeAuthSuccess     = "auth_success"
	TypeAuthError       = "auth_error"
	TypeSubscriptionAck = "subscription_ack"
	TypeInitialBatch    = "initial_data_batch"
	TypeChange          = "change"
	TypeError           = "error"
)

// Close codes of the WebSocket.
const (
	CloseNormal       = 1000 // Heartbeat timeout.
	CloseGoingAway    = 1001 // The server stops.
	ClosePolicy       = 1008 // Authentication failed, timed out or ended.
	CloseInternal     = 1011 // A frame that is no message.
	CloseSlowConsumer = 4008 // A queue was full; resume from the last seq.
)

// Values of ProtocolOptions.
const (
	SerializationJSON = "json"
	CompressionNone   = "none"
	CompressionGzip   = "gzip"
	EventsExact       = "exact"
	EventsKalamDB     = "kalamdb"
)

// The codes of error frames.
const (
	CodeAuthRequired          Code = "AUTH_REQUIRED"
	CodeInvalidSubscriptionID Code = "INVALID_SUBSCRIPTION_ID"
	CodeSubscriptionLimit     Code = "SUBSCRIPTION_LIMIT_EXCEEDED"
	CodeUnauthorized          Code = "UNAUTHORIZED"
	CodeNotFound              Code = "NOT_FOUND"
	CodeUnsupported           Code = "UNSUPPORTED"
	CodeSubscriptionFailed    Code = "SUBSCRIPTION_FAILED"
	CodeSubscriptionKilled    Code = "SUBSCRIPTION_KILLED"
	CodeConversion            Code = "CONVERSION_ERROR"
	CodeBatchFetch            Code = "BATCH_FETCH_FAILED"
	CodeMessageTooLarge       Code = "MESSAGE_TOO_LARGE"
	CodeUnsupportedData       Code = "UNSUPPORTED_DATA"
	CodeProtocol              Code = "PROTOCOL"
	CodeResumeWindowExceeded  Code = "RESUME_WINDOW_EXCEEDED"
	CodeSchemaChanged         Code = "SCHEMA_CHANGED"
)

// ProtocolOptions is what both ends agree on at authentication. Events is
// EventsExact, EventsKalamDB, or "" for what the server is configured to send.
type ProtocolOptions struct {
	Serialization string `json:"serialization"`
	Compression   string `json:"compression"`
	Events        string `json:"events,omitempty"`
}

// ClientFrame is any frame of a client; Type says which fields count.
type ClientFrame struct {
	Type           string           `json:"type"`
	Method         string           `json:"method,omitempty"` // Of authenticate: "jwt".
	Token          string           `json:"token,omitempty"`
	Protocol       *ProtocolOptions `json:"protocol,omitempty"`
	Subscription   *Subscribe       `json:"subscription,omitempty"`
	SubscriptionID string           `json:"subscription_id,omitempty"`
	LastSeqID      *SeqID           `json:"last_seq_id,omitempty"`
}

// Subscribe asks for a live query. Without Options there is no initial data;
// empty Options ask for all rows. Params are JSON for $1..$n, as those of
// SQLRequest. Events is that of ProtocolOptions for this one subscription; "" is
// what the connection agreed on.
type Subscribe struct {
	ID      string            `json:"id"`
	SQL     string            `json:"sql"`
	Params  []json.RawMessage `json:"params,omitempty"`
	Events  string            `json:"events,omitempty"`
	Options *SubscribeOptions `json:"options,omitempty"`
}

// SubscribeOptions choose the initial data: the last n rows, or all rows after
// From, in batches of BatchSize. BufferSize is the number of undelivered events
// after which the connection is closed.
type SubscribeOptions struct {
	LastRows   *int   `json:"last_rows,omitempty"`
	BatchSize  *int   `json:"batch_size,omitempty"`
	From       *SeqID `json:"from,omitempty"`
	FromSeqID  *SeqID `json:"from_seq_id,omitempty"` // Alias of From.
	BufferSize *int   `json:"buffer_size,omitempty"`
}

// SeqID is a Seq on the WebSocket: written as a JSON number, as KalamDB does,
// and read from a number or, because seqs exceed 2^53, from a string.
type SeqID kalam.Seq

// UnmarshalJSON reads 123 or "123".
func (s *SeqID) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(text) > 1 && text[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return fmt.Errorf("seq %.40s is not a non-negative integer", b)
	}
	*s = SeqID(n)
	return nil
}

// AuthSuccess answers a valid authenticate frame. The live id of a subscription,
// for KILL LIVE QUERY, is user, ConnectionID and subscription id with '-' between.
type AuthSuccess struct {
	Type         string          `json:"type"`
	User         string          `json:"user"`
	Role         string          `json:"role"`
	Protocol     ProtocolOptions `json:"protocol"`
	ConnectionID string          `json:"connection_id,omitempty"`
}

// AuthError answers an invalid authenticate frame; the connection closes.
type AuthError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// BatchControl says where the initial data stands. Status is "loading" for the
// first batch when more follow, "loading_batch" for later ones, "ready" for the
// last. LastSeq is LastSeqID as text, exact in every client.
type BatchControl struct {
	BatchNum  int    `json:"batch_num"`
	HasMore   bool   `json:"has_more"`
	Status    string `json:"status"`
	LastSeqID *SeqID `json:"last_seq_id"`
	LastSeq   string `json:"last_seq,omitempty"`
}

// Values of BatchControl.Status.
const (
	BatchLoading      = "loading"
	BatchLoadingBatch = "loading_batch"
	BatchReady        = "ready"
)

// SubscriptionAck answers a subscribe frame. Its BatchControl is that of the first
// batch. SnapshotSeq is up to where the initial rows go: changes above it are
// events. A client that has all of them, or asked for none, resumes from it as long as
// no event has come.
type SubscriptionAck struct {
	Type           string       `json:"type"`
	SubscriptionID string       `json:"subscription_id"`
	TotalRows      int64        `json:"total_rows"`
	BatchControl   BatchControl `json:"batch_control"`
	Schema         []Field      `json:"schema"`
	SnapshotSeq    string       `json:"snapshot_seq,omitempty"`
}

// Row is a row of a live query: cells by column name.
type Row map[string]json.RawMessage

// InitialDataBatch is one batch of initial rows.
type InitialDataBatch struct {
	Type           string       `json:"type"`
	SubscriptionID string       `json:"subscription_id"`
	Rows           []Row        `json:"rows"`
	BatchControl   BatchControl `json:"batch_control"`
}

// Change is one live change. ChangeType is insert, update or delete.
type Change struct {
	Type           string `json:"type"`
	SubscriptionID string `json:"subscription_id"`
	ChangeType     string `json:"change_type"`
	Rows           []Row  `json:"rows,omitempty"`
	OldValues      []Row  `json:"old_values,omitempty"`
}

// ErrorFrame reports an error of one subscription, or of the connection. Position, Hint and Suggestions are those of
// Error, for the SQL of the subscription.
type ErrorFrame struct {
	Type           string   `json:"type"`
	SubscriptionID string   `json:"subscription_id"`
	Code           Code     `json:"code"`
	Message        string   `json:"message"`
	Position       int      `json:"position,omitempty"`
	Hint           string   `json:"hint,omitempty"`
	Suggestions    []string `json:"suggestions,omitempty"`
}

// ServerFrame is any frame of the server, for clients to decode into; Type says
// which fields count.
type ServerFrame struct {
	Type           string          `json:"type"`
	User           string          `json:"user,omitempty"`
	Role           string          `json:"role,omitempty"`
	Protocol       ProtocolOptions `json:"protocol"`
	Message        string          `json:"message,omitempty"`
	Code           Code            `json:"code,omitempty"`
	SubscriptionID string          `json:"subscription_id,omitempty"`
	TotalRows      int64           `json:"total_rows,omitempty"`
	BatchControl   BatchControl    `json:"batch_control"`
	Schema         []Field         `json:"schema,omitempty"`
	ChangeType     string          `json:"change_type,omitempty"`
	Rows           []Row           `json:"rows,omitempty"`
	OldValues      []Row           `json:"old_values,omitempty"`
	ConnectionID   string          `json:"connection_id,omitempty"`
	SnapshotSeq    string          `json:"snapshot_seq,omitempty"`
	Position       int             `json:"position,omitempty"`
	Hint           string          `json:"hint,omitempty"`
	Suggestions    []string        `json:"suggestions,omitempty"`
}
