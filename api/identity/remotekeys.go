package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// Bounds of what is fetched from an issuer.
const (
	fetchTimeout = 3 * time.Second
	maxFetched   = 256 << 10
	// keysLife is how often keys are fetched anew, and unknownKeys how often at most because a token names one that is
	// not known.
	keysLife    = 15 * time.Minute
	unknownKeys = 10 * time.Second
	// retryKeys is how long an issuer that does not answer is left alone.
	retryKeys = 10 * time.Second
)

// remoteKeys are the public keys of an OIDC issuer, found by discovery at the first token and fetched anew as they
// rotate. They live as long as the context that they were made with. It is safe for concurrent use.
type remoteKeys struct {
	ctx    context.Context
	issuer string
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex // guards what follows
	keys   keyfunc.Keyfunc
	failed time.Time // Of the last discovery that failed.
}

// newRemoteKeys checks the name of an issuer: https, or http on this machine.
func newRemoteKeys(ctx context.Context, issuer string, now func() time.Time) (*remoteKeys, error) {
	if !secureURL(issuer) {
		return nil, fmt.Errorf("configuration key auth.oidc_issuers: '%s' is not an https URL", issuer)
	}
	return &remoteKeys{ctx: ctx, issuer: issuer, now: now, client: &http.Client{
		Timeout: fetchTimeout, Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// secureURL reports whether nobody on the way can change what comes from a URL.
func secureURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && isLoopbackHost(u.Hostname()))
}

// bounded cuts answers that are longer than any set of keys.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxFetched), res.Body}
	}
	return res, err
}

// key returns the key that a token says it is signed with.
func (k *remoteKeys) key(t *jwt.Token) (any, error) {
	keys, err := k.discover()
	if err != nil {
		return nil, err
	}
	return keys.Keyfunc(t)
}

var errNoKeys = errors.New("the issuer's keys cannot be had")

// discover finds out where the keys are, once.
func (k *remoteKeys) discover() (keyfunc.Keyfunc, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys != nil {
		return k.keys, nil
	}
	if k.now().Sub(k.failed) < retryKeys {
		return nil, errNoKeys
	}
	where, err := k.location()
	if err == nil {
		failEarly := false
		k.keys, err = keyfunc.NewDefaultOverrideCtx(k.ctx, []string{where}, keyfunc.Override{
			Client: k.client, HTTPTimeout: fetchTimeout, RefreshInterval: keysLife, NoErrorReturnFirstHTTPReq: &failEarly,
			// It bounds the fetch for an unknown kid, too. Nobody waits for the limit: that is further away than this.
			RateLimitWaitMax: fetchTimeout, RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownKeys), 1),
			RefreshErrorHandlerFunc: func(string) func(context.Context, error) { return func(context.Context, error) {} },
		})
	}
	if err != nil {
		k.failed = k.now()
		return nil, errors.Join(errNoKeys, err)
	}
	return k.keys, nil
}

// location returns the URL of the keys, as the issuer's configuration says.
func (k *remoteKeys) location() (string, error) {
	ctx, cancel := context.WithTimeout(k.ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.TrimSuffix(k.issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return "", err
	}
	res, err := k.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var found struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.NewDecoder(res.Body).Decode(&found); err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK || found.Issuer != k.issuer || !secureURL(found.Keys) {
		return "", errNoKeys
	}
	return found.Keys, nil
}
