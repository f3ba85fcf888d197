package api_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
)

// oidc is an OIDC issuer on loopback whose keys rotate.
type oidc struct {
	t   testing.TB
	url string

	mu      sync.Mutex // guards what follows
	keys    map[string]crypto.Signer
	fetches int
	// answer replaces the answer of /keys, discovery that of the configuration.
	answer, discovery http.HandlerFunc
}

// newOIDC starts an issuer with the key of a kid.
func newOIDC(t testing.TB, kid string) *oidc {
	t.Helper()
	o := &oidc{t: t, keys: map[string]crypto.Signer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.discovery != nil {
			o.discovery(w, r)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, o.url, o.url+"/keys")
	})
	mux.HandleFunc("/keys", o.serveKeys)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	o.url = s.URL
	o.rotate(kid)
	return o
}

func (o *oidc) serveKeys(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.fetches++
	answer, keys := o.answer, o.keys
	o.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	select { // An issuer is as far away as others are.
	case <-time.After(30 * time.Millisecond):
	case <-r.Context().Done():
	}
	set := jwkset.NewMemoryStorage()
	for kid, k := range keys {
		jwk, err := jwkset.NewJWKFromKey(k.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
		if err == nil {
			err = set.KeyWrite(r.Context(), jwk)
		}
		if err != nil {
			o.t.Error(err)
		}
	}
	raw, err := set.JSONPublic(r.Context())
	if err != nil {
		o.t.Error(err)
	}
	if _, err := w.Write(raw); err != nil {
		o.t.Log(err)
	}
}

// rotate makes the key of kid, an EC one, the only one.
func (o *oidc) rotate(kid string) {
	o.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = map[string]crypto.Signer{kid: k}
}

// sign signs claims by the key of kid; header changes the token's header.
func (o *oidc) sign(kid string, claims map[string]any, header ...any) string {
	o.t.Helper()
	o.mu.Lock()
	k := o.keys[kid]
	o.mu.Unlock()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(claims))
	token.Header["kid"] = kid
	for i := 0; i+1 < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
		if header[i+1] == nil {
			delete(token.Header, header[i].(string))
		}
	}
	text, err := token.SignedString(k)
	if err != nil {
		o.t.Fatal(err)
	}
	return text
}

const appSecret = "an application's secret of 32 bytes"

// claimsOf are good claims, changed.
func claimsOf(iss string, now time.Time, changes ...any) map[string]any {
	c := map[string]any{"iss": iss, "sub": "carol", "aud": "kalam", "iat": now.Unix(), "exp": now.Unix() + 3600}
	for i := 0; i+1 < len(changes); i += 2 {
		c[changes[i].(string)] = changes[i+1]
		if changes[i+1] == nil {
			delete(c, changes[i].(string))
		}
	}
	return c
}

// external starts a server that trusts an issuer and the application "app".
func external(t testing.TB, o *oidc, change func(*config.AuthConfig)) *harness {
	t.Helper()
	return startFor(t, setup{config: func(c *config.Config) {
		c.Auth.JWTSecret = secret
		c.Auth.OIDCIssuers = []string{o.url}
		c.Auth.TrustedSecrets = []string{"app=" + appSecret}
		c.Auth.ExternalAudience, c.Auth.ExternalProvision = "kalam", true
		if change != nil {
			change(&c.Auth)
		}
	}})
}

// TestExternalTokens logs in by tokens of an OIDC issuer whose keys rotate and of an application: users are made at
// first sight, with the role that the claim and the configuration allow.
func TestExternalTokens(t *testing.T) {
	o := newOIDC(t, "k1")
	h := external(t, o, func(c *config.AuthConfig) { c.ExternalRoleClaim, c.ExternalMaxRole = "role", "service" })
	who := func(token string) string {
		res := h.sql(token, "SELECT CURRENT_USER() AS u, CURRENT_ROLE() AS r")
		if res.status != http.StatusOK {
			return fmt.Sprint(res.status)
		}
		return res.body[strings.Index(res.body, `"rows":`):][:len(`"rows":[["carol","user"]]`)]
	}
	first := o.sign("k1", claimsOf(o.url, time.Now()))
	for range 3 {
		if got := who(first); got != `"rows":[["carol","user"]]` {
			t.Errorf("first: %s", got)
		}
	}
	if o.fetches != 1 {
		t.Errorf("keys were fetched %d times", o.fetches)
	}
	o.rotate("k2")
	second := o.sign("k2", claimsOf(o.url, time.Now(), "aud", []string{"other", "kalam"}))
	if got := who(second); got != `"rows":[["carol","user"]]` {
		t.Errorf("after a rotation: %s", got)
	}
	for i := range 50 { // Keys that nobody has: no fetch for each.
		if got := who(o.sign("k2", claimsOf(o.url, time.Now()), "kid", fmt.Sprint("no", i))); got != "401" {
			t.Errorf("unknown kid: %s", got)
		}
	}
	if o.fetches > 3 {
		t.Errorf("keys were fetched %d times", o.fetches)
	}
	app := forge(map[string]any{"alg": "HS256", "typ": "JWT"}, claimsOf("app", time.Now(), "sub", "dave", "role", "dba"), hs256(appSecret))
	if res := h.sql(app, "SELECT CURRENT_USER() AS u, CURRENT_ROLE() AS r"); !strings.Contains(res.body, `["dave","service"]`) {
		t.Errorf("application: %s", res.body)
	}
	narrow := forge(map[string]any{"alg": "HS256"}, claimsOf("app", time.Now(), "sub", "dave", "role", "nonsense"), hs256(appSecret))
	if res := h.sql(narrow, "SELECT CURRENT_ROLE() AS r"); !strings.Contains(res.body, `["user"]`) {
		t.Errorf("an unknown role: %s", res.body)
	}
	p := h.enter(second, "")
	h.mustSQL(h.root(), "REVOKE TOKENS FOR USER carol")
	p.wantClose(websocket.StatusPolicyViolation, "")
	if got := who(second); got != "401" {
		t.Errorf("after REVOKE TOKENS: %s", got)
	}
	if got := who(o.sign("k2", claimsOf(o.url, time.Now().Add(2*time.Second)))); got != `"rows":[["carol","user"]]` {
		t.Errorf("a newer token: %s", got)
	}
	h.mustSQL(h.root(), "DROP USER dave")
	if got := who(app); got != "401" {
		t.Errorf("a dropped user: %s", got)
	}
	h.clock.move(6 * time.Minute) // A verified token is looked at again: its key is gone.
	if got := who(first); got != "401" {
		t.Errorf("a token of a withdrawn key: %s", got)
	}
}

// TestExternalTokenAttacks sends tokens in the name of other issuers that must not be taken.
func TestExternalTokenAttacks(t *testing.T) {
	o, evil := newOIDC(t, "k1"), newOIDC(t, "k1")
	h := external(t, o, nil)
	h.user("bob", kalam.RoleUser)
	h.mustSQL(h.root(), `CREATE USER eve WITH OAUTH '{"provider":"app","subject":"eve"}'`)
	now := time.Now()
	signer := o.keys["k1"].(*ecdsa.PrivateKey)
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claimsOf(o.url, now)))
	rs.Header["kid"] = "k1"
	rsText, err := rs.SignedString(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	good := o.sign("k1", claimsOf(o.url, now))
	es := func(changes ...any) string { return o.sign("k1", claimsOf(o.url, now, changes...)) }
	head := func(header ...any) string { return o.sign("k1", claimsOf(o.url, now), header...) }
	app := func(changes ...any) string {
		return forge(map[string]any{"alg": "HS256"}, claimsOf("app", now, changes...), hs256(appSecret))
	}
	none := func(string) []byte { return nil }
	parts := strings.Split(good, ".")
	attacks := map[string]string{
		"alg none": forge(map[string]any{"alg": "none"}, claimsOf(o.url, now), none), "alg None": forge(map[string]any{"alg": "nOnE"}, claimsOf(o.url, now), none),
		"alg none of the application": forge(map[string]any{"alg": "none"}, claimsOf("app", now), none),
		"public key as a secret":      forge(map[string]any{"alg": "HS256", "kid": "k1"}, claimsOf(o.url, now), hs256(string(public))),
		"kid as a secret":             forge(map[string]any{"alg": "HS256", "kid": "k1"}, claimsOf(o.url, now), hs256("k1")),
		"application's secret":        forge(map[string]any{"alg": "HS256", "kid": "k1"}, claimsOf(o.url, now), hs256(appSecret)),
		"server's secret":             forge(map[string]any{"alg": "HS256"}, claimsOf("app", now), hs256(secret)),
		"empty secret":                forge(map[string]any{"alg": "HS256"}, claimsOf("app", now), hs256("")),
		"HS384":                       forge(map[string]any{"alg": "HS384"}, claimsOf("app", now), hs256(appSecret)),
		"application by the issuer":   o.sign("k1", claimsOf("app", now)),
		"server by the application":   forge(map[string]any{"alg": "HS256"}, claimsOf("kalamdb", now, "token_type", "access", "role", "system", "sub", "root"), hs256(appSecret)),
		"RSA for an EC key":           rsText, "foreign key of the same kid": evil.sign("k1", claimsOf(o.url, now)), "foreign issuer": evil.sign("k1", claimsOf(evil.url, now)),
		"kid traversal": head("kid", "../../../dev/null"), "kid as URL": head("kid", evil.url+"/keys"), "kid SQL": head("kid", "' OR 1=1 --"), "kid number": head("kid", 7),
		"kid of 4 KiB": head("kid", strings.Repeat("k", 4096)), "kid NUL": head("kid", "k1\x00"), "jku": head("kid", "x", "jku", evil.url+"/keys"),
		"x5u": head("kid", "x", "x5u", evil.url), "jwk": head("kid", "x", "jwk", map[string]any{"kty": "oct", "k": "AA"}),
		"crit": head("crit", []string{"exp"}), "typ of a logout token": head("typ", "logout+jwt"), "typ of a request": head("typ", "oauth-authz-req+jwt"), "typ number": head("typ", 1),
		"other audience": es("aud", "other"), "no audience": es("aud", nil), "audience in part": es("aud", "kala"), "audiences without ours": es("aud", []string{"a", "b"}), "audience number": es("aud", 5),
		"issuer with a slash": es("iss", o.url+"/"), "issuer in upper case": es("iss", strings.ToUpper(o.url)), "no issuer": es("iss", nil), "issuer list": es("iss", []string{o.url}),
		"expired": es("exp", now.Unix()-120, "iat", now.Unix()-3600), "no exp": es("exp", nil), "exp text": es("exp", "later"), "exp of 1970": es("exp", 1),
		"not yet valid": es("nbf", now.Unix()+3600), "iat in the future": es("iat", now.Unix()+3600), "no iat": es("iat", nil), "iat text": es("iat", "now"),
		"no sub": es("sub", nil), "empty sub": es("sub", ""), "sub number": es("sub", 7), "sub path": es("sub", "a/../b"), "sub NUL": es("sub", "a\x00b"), "sub of 1 KiB": es("sub", strings.Repeat("s", 1024)),
		"root by sub": es("sub", "root"), "system by sub": es("sub", "system"), "a password user by sub": es("sub", "bob"), "a user of the application": es("sub", "eve"),
		"root by the application": app("sub", "root"), "bob by the application": app("sub", "bob"), "application expired": app("exp", now.Unix()-120), "application's audience": app("aud", "x"),
		"signature cut": good[:len(good)-4], "no signature": parts[0] + "." + parts[1] + ".", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x", "signature of another": parts[0] + "." + strings.Split(es("sub", "mallory"), ".")[1] + "." + parts[2],
		"padded": good + "=", "blanks inside": parts[0] + " ." + parts[1] + "." + parts[2], "oversize": es("x", strings.Repeat("x", 9<<10)), "dots": strings.Repeat(".", 8000), "deep": forge(map[string]any{"alg": "HS256"}, claimsOf("app", now, "x", json.RawMessage(strings.Repeat("[", 2000)+strings.Repeat("]", 2000))), hs256("wrong")),
	}
	if res := h.sql(good, "SELECT 1"); res.status != http.StatusOK {
		t.Fatalf("the good token: %s", res.body)
	}
	if res := h.sql(app("sub", "eve"), "SELECT 1"); res.status != http.StatusOK {
		t.Fatalf("the good token of the application: %s", res.body)
	}
	users := len(h.engine.Catalog().Users())
	for name, token := range attacks {
		for range 2 {
			if res := h.sql(token, "SELECT 1"); res.status != http.StatusUnauthorized || !strings.Contains(res.body, `"message":"Invalid credentials"`) {
				t.Errorf("%s: %d %s", name, res.status, res.body)
			}
		}
	}
	if n := len(h.engine.Catalog().Users()); n != users {
		t.Errorf("%d users were made by attacks", n-users)
	}
	t.Logf("%d attacks", len(attacks))
}

// TestKeysThatDoNotCome has issuers that answer slowly, too much, nonsense, or for somebody else: their tokens are
// refused in bounded time, and other users are not held up.
func TestKeysThatDoNotCome(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys":[`)
			for range 1 << 12 {
				if _, err := fmt.Fprint(w, strings.Repeat(" ", 1<<10)); err != nil {
					return
				}
			}
		},
		"slow": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"keys":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"nonsense": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://198.51.100.1/", http.StatusFound)
		},
	} {
		for _, discovery := range []bool{false, true} {
			t.Run(fmt.Sprint(name, discovery), func(t *testing.T) {
				o := newOIDC(t, "k1")
				if o.answer = answer; discovery {
					o.answer, o.discovery = nil, answer
				}
				h := external(t, o, nil)
				root := h.root()
				answered := h.background([2]string{"Authorization", "Bearer " + o.sign("k1", claimsOf(o.url, time.Now()))}, "SELECT 1")
				h.mustSQL(root, "SELECT 1")
				began := time.Now()
				if res := <-answered; res.status != http.StatusUnauthorized || time.Since(began) > 10*time.Second {
					t.Errorf("%d after %s", res.status, time.Since(began))
				}
				if res := h.sql(o.sign("k1", claimsOf(o.url, time.Now())), "SELECT 1"); res.status != http.StatusUnauthorized {
					t.Errorf("the next: %d", res.status)
				}
				o.mu.Lock()
				defer o.mu.Unlock()
				if o.fetches > 1 {
					t.Errorf("%d fetches", o.fetches)
				}
			})
		}
	}
}
