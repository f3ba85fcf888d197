package link

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// Defaults of Options.
const (
	DefaultAPIVersion    = "v1"
	DefaultTimeout       = 30 * time.Second
	DefaultMaxRetries    = 3
	DefaultMaxReconnects = 10
	DefaultLiveRate      = 40
	DefaultFirstWait     = 100 * time.Millisecond
	DefaultLongestWait   = 30 * time.Second
)

// Options configure a Client. Only URL is required.
type Options struct {
	URL        string            // http or https, a host, and possibly a base path.
	User       string            // Sent as X-USER-ID: for whom to act; "" is whom Auth says.
	Auth       Auth              // The zero value sends no credentials.
	Namespace  kalam.NamespaceID // Of unqualified names; "" is the server's default.
	APIVersion string            // First element of every path; "" is DefaultAPIVersion.

	// Timeout bounds one request with its retries, and the wait for a live query's
	// acknowledgement; 0 is DefaultTimeout, below 0 none.
	Timeout time.Duration
	// MaxRetries is how often a request that may be repeated is; 0 is
	// DefaultMaxRetries, below 0 never.
	MaxRetries int
	// MaxReconnects is how often in a row a lost WebSocket is dialled before its
	// subscriptions end; 0 is DefaultMaxReconnects, below 0 without limit.
	MaxReconnects int
	// LiveRate is the largest number of frames a second to the server, which drops
	// what is above its own limit; 0 is DefaultLiveRate.
	LiveRate int
	// NoReconnect ends subscriptions when their connection is lost.
	NoReconnect bool
	// FirstWait and LongestWait bound the wait before a repetition or another connection,
	// which doubles each time; 0 are DefaultFirstWait and DefaultLongestWait.
	FirstWait, LongestWait time.Duration
	// Renew, if not nil, renews tokens that are shared with other programs: it returns
	// those that another has got meanwhile, or those that refresh gets, which works once
	// for an old refresh token. There is one call at a time.
	Renew func(ctx context.Context, old Tokens, refresh func(context.Context) (Tokens, error)) (Tokens, error)
	// Compression asks the server to gzip large frames of live queries.
	Compression bool
	// HTTPClient makes the requests; nil is a client of its own with a connection
	// pool. Its CheckRedirect and Timeout are not used.
	HTTPClient *http.Client
}

// withDefaults checks o and fills in what is not given.
func (o Options) withDefaults() (Options, *url.URL, error) {
	base, err := parseURL(o.URL)
	if err != nil {
		return o, nil, err
	}
	if o.APIVersion == "" {
		o.APIVersion = DefaultAPIVersion
	}
	if strings.ContainsFunc(o.APIVersion, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' &&
			!isWordRune(r)
	}) {
		return o, nil, errorf(KindInvalidOption, "APIVersion %q is not a path element", o.APIVersion)
	}
	if !isHeaderValue(o.User) {
		return o, nil, errorf(KindInvalidOption, "User %q cannot be sent in a header", o.User)
	}
	if !isHeaderValue(o.Auth.secret) && o.Auth.kind != authPassword {
		return o, nil, errorf(KindInvalidOption, "the API key cannot be sent in a header")
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = DefaultMaxRetries
	}
	if o.MaxReconnects == 0 {
		o.MaxReconnects = DefaultMaxReconnects
	}
	if o.FirstWait <= 0 {
		o.FirstWait = DefaultFirstWait
	}
	if o.LongestWait <= 0 {
		o.LongestWait = DefaultLongestWait
	}
	if o.LiveRate <= 0 {
		o.LiveRate = DefaultLiveRate
	}
	return o, base, nil
}

func isWordRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isHeaderValue reports whether s may stand in an HTTP header.
func isHeaderValue(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F })
}

// parseURL checks a server's URL and returns it without a final slash.
func parseURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, errorf(KindInvalidURL, "no URL given")
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, &Error{Kind: KindInvalidURL, Message: "the URL cannot be parsed", Err: err}
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errorf(KindInvalidURL, "%q does not begin with http:// or https://", s)
	case u.Hostname() == "":
		return nil, errorf(KindInvalidURL, "%q has no host", s)
	case u.User != nil:
		return nil, errorf(KindInvalidURL, "the URL must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errorf(KindInvalidURL, "%q must not have a query or fragment", s)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// SubscribeOptions choose the initial rows of a live query. The zero value asks
// for none.
type SubscribeOptions struct {
	LastRows   int       // The newest n matching rows; 0 is none, AllRows all. At most MaxLastRows.
	BatchSize  int       // Rows of one EventInitial; 0 is the server's default.
	From       kalam.Seq // Resume: what changed after this seq. It wins over LastRows.
	Params     []any     // Values of $1..$n in the query, of the types that Query takes.
	BufferSize int       // Events that may wait for the reader; 0 is DefaultBufferSize.
}

func (o SubscribeOptions) check() error {
	switch {
	case o.LastRows < AllRows || o.LastRows > MaxLastRows:
		return errorf(KindInvalidOption, "LastRows must be from 0 to %d, or AllRows, got %d", MaxLastRows, o.LastRows)
	case o.BatchSize < 0:
		return errorf(KindInvalidOption, "BatchSize must not be negative, got %d", o.BatchSize)
	case o.BufferSize < 0:
		return errorf(KindInvalidOption, "BufferSize must be at least 1, got %d", o.BufferSize)
	}
	return nil
}
