package origins

import (
	"net/url"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
)

// everyone is the entry that stands for every origin.
const everyone = "*"

// List is server.cors_origins.
type List []string

// Check reports an origin that no browser sends. The error is of CodeInvalidInput and names the key.
func (l List) Check() error {
	for _, o := range l {
		if o == everyone {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" ||
			strings.Contains(u.Host, "*") {
			return kalam.Errorf(kalam.CodeInvalidInput,
				"configuration key server.cors_origins: '%s' is not an origin (expected scheme://host[:port], or *)", o)
		}
	}
	if len(l) > 1 && slices.Contains(l, everyone) {
		return kalam.Errorf(kalam.CodeInvalidInput, "configuration key server.cors_origins: '*' stands alone")
	}
	return nil
}

// Allow reports whether pages of an origin may call the server that the request calls host: those of the list, by
// default those of the server itself. Programs send no origin, "".
func (l List) Allow(origin, host string) bool {
	if origin == "" {
		return true
	}
	if len(l) > 0 {
		return l[0] == everyone || slices.Contains(l, origin)
	}
	_, at, _ := strings.Cut(origin, "://")
	return strings.EqualFold(at, host)
}

// IsFrom reports whether origin is that of a page which came from host, by http or https.
func IsFrom(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host) && u.User == nil
}

// longest is the length up to which an origin is repeated.
const longest = 100

// Refusal is what the developer of a page is told whose origin is not allowed.
func Refusal(origin string) string {
	if len(origin) > longest {
		origin = origin[:longest]
	}
	return "Origin not allowed: pages of " + strings.ToValidUTF8(origin, "?") +
		" may not call this server; name the origin in server.cors_origins of its configuration"
}
