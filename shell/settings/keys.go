package settings

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// key is one key of the file.
type key struct {
	name    string // With its section.
	allowed string // For messages.
	set     func(f *File, v any) bool
}

// Bounds of numbers.
const (
	mostRows    = 1_000_000
	mostHistory = 100_000
	mostDelay   = 24 * 60 * 60 * 1000 // Milliseconds.
	mostTimeout = 365 * 24 * 60 * 60  // Seconds.
	mostLast    = 10_000
)

// TimestampFormats returns the names of the forms in which times can be shown.
func TimestampFormats() []string {
	return []string{"iso8601", "iso8601-date", "iso8601-datetime", "rfc3339", "rfc2822", "unix-ms", "unix-sec",
		"relative", "raw"}
}

// keys returns the keys that have a meaning. Those of [server] and [auth], and format
// and color of [ui], are KalamDB's names.
func keys(formats []string) []key {
	format := choice(formats, func(f *File) *string { return &f.Format })
	color := truth(func(f *File) *bool { return &f.Color })
	token := text(func(f *File) *string { return &f.Token })
	timeout := duration(time.Second, mostTimeout, func(f *File) *time.Duration { return &f.Timeout })
	list := []key{
		{"connection.host", "a URL with http:// or https://, or host[:port]", setHost},
		text(func(f *File) *string { return &f.User }).as("connection.user"),
		token.as("connection.token"), token.as("auth.jwt_token"),
		text(func(f *File) *string { return &f.APIKey }).as("connection.apikey"),
		timeout.as("connection.timeout"), timeout.as("server.timeout"),
		truth(func(f *File) *bool { return &f.AutoReconnect }).as("connection.auto_reconnect"),
		duration(time.Millisecond, mostDelay, func(f *File) *time.Duration { return &f.ReconnectDelay }).
			as("connection.reconnect_delay_ms"),
		duration(time.Millisecond, mostDelay, func(f *File) *time.Duration { return &f.MaxReconnectDelay }).
			as("connection.max_reconnect_delay_ms"),
		number(mostRows, func(f *File) *int { return &f.MaxReconnects }).as("connection.max_reconnect_attempts"),
		format.as("output.format"), format.as("ui.format"), color.as("output.color"), color.as("ui.color"),
		number(mostRows, func(f *File) *int { return &f.MaxRows }).as("output.max_rows"),
		text(func(f *File) *string { return &f.Null }).as("output.null"),
		number(mostHistory, func(f *File) *int { return &f.HistorySize }).as("ui.history_size"),
		choice(TimestampFormats(), func(f *File) *string { return &f.TimestampFormat }).as("ui.timestamp_format"),
		truth(func(f *File) *bool { return &f.ConfirmDestructive }).as("ui.confirm_destructive"),
		number(mostLast, func(f *File) *int { return &f.LastRows }).as("subscription.last_rows"),
	}
	return list
}

// as returns the key under a name.
func (k key) as(name string) key { k.name = name; return k }

func text(field func(*File) *string) key {
	return key{allowed: "text", set: func(f *File, v any) bool {
		s, ok := v.(string)
		*field(f) = s
		return ok
	}}
}

func truth(field func(*File) *bool) key {
	return key{allowed: "true or false", set: func(f *File, v any) bool {
		b, ok := v.(bool)
		*field(f) = b
		return ok
	}}
}

func number(most int64, field func(*File) *int) key {
	return key{allowed: fmt.Sprintf("a whole number from 0 to %d", most), set: func(f *File, v any) bool {
		n, ok := v.(int64)
		*field(f) = int(n)
		return ok && n >= 0 && n <= most
	}}
}

func duration(unit time.Duration, most int64, field func(*File) *time.Duration) key {
	return key{allowed: fmt.Sprintf("a whole number from 0 to %d", most), set: func(f *File, v any) bool {
		n, ok := v.(int64)
		if ok = ok && n >= 0 && n <= most; ok {
			*field(f) = time.Duration(n) * unit
		}
		return ok
	}}
}

func choice(words []string, field func(*File) *string) key {
	return key{allowed: strings.Join(words, ", "), set: func(f *File, v any) bool {
		s, ok := v.(string)
		*field(f) = s
		return ok && slices.Contains(words, s)
	}}
}

// setHost takes what the flag --host takes.
func setHost(f *File, v any) bool {
	s, ok := v.(string)
	f.Host = s
	if !ok {
		return false
	}
	if !strings.Contains(s, "://") {
		return s != "" && !strings.ContainsAny(s, "/?#@ ")
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
