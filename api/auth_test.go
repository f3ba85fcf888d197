package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
)

// TestAuthGolden holds the answers of the auth endpoints.
func TestAuthGolden(t *testing.T) {
	h := start(t, setup{noRoot: true})
	var got []exchange
	ask := func(name, method, path, token, body string, headers ...string) response {
		t.Helper()
		var b any
		if body != "" {
			b = body
		}
		res := h.do(method, "/v1/api/auth/"+path, token, b, headers...)
		got = append(got, exchange{name, body, res.status, res.body})
		return res
	}
	ask("status before setup", "GET", "status", "", "")
	ask("login before setup", "POST", "login", "", `{"user":"root","password":""}`)
	ask("setup with a weak password", "POST", "setup", "",
		`{"user":"admin","password":"password","root_password":"a-good-password"}`)
	ask("setup with a weak root password", "POST", "setup", "",
		`{"user":"admin","password":"a-good-password","root_password":"short"}`)
	ask("setup of a bad user", "POST", "setup", "",
		`{"user":"a/b","password":"a-good-password","root_password":"another-good-one"}`)
	ask("setup of root", "POST", "setup", "",
		`{"user":"root","password":"a-good-password","root_password":"another-good-one"}`)
	ask("setup", "POST", "setup", "",
		`{"username":"admin","password":"a-good-password","root_password":"another-good-one","email":"a@example.org"}`)
	ask("setup again", "POST", "setup", "",
		`{"user":"admin2","password":"a-good-password","root_password":"another-good-one"}`)
	ask("status after setup", "GET", "status", "", "")
	ask("wrong password", "POST", "login", "", `{"user":"admin","password":"wrong"}`)
	ask("unknown user", "POST", "login", "", `{"user":"nobody","password":"wrong"}`)
	ask("no user", "POST", "login", "", `{"password":"wrong"}`)
	ask("unknown member", "POST", "login", "", `{"user":"a","password":"b","tenant":"c"}`)
	ask("no json", "POST", "login", "", `user=a`)
	ask("wrong type", "POST", "login", "", `{"user":"a","password":1}`)
	ask("long password", "POST", "login", "", `{"user":"a","password":"`+strings.Repeat("x", 257)+`"}`)
	var in wire.LoginResponse
	decode(t, ask("login", "POST", "login", "", `{"username":"admin","password":"a-good-password"}`).body, &in)
	ask("me", "GET", "me", in.AccessToken, "")
	ask("me by cookie", "GET", "me", "", "", "Cookie", "kalamdb_auth="+in.AccessToken)
	ask("me without token", "GET", "me", "", "")
	ask("me with a refresh token", "GET", "me", in.RefreshToken, "")
	var next wire.LoginResponse
	decode(t, ask("refresh", "POST", "refresh", in.RefreshToken, "").body, &next)
	ask("refresh by cookie", "POST", "refresh", "", "", "Cookie", "kalamdb_refresh="+next.RefreshToken)
	ask("refresh again", "POST", "refresh", in.RefreshToken, "")
	ask("refresh with an access token", "POST", "refresh", in.AccessToken, "")
	ask("refresh without token", "POST", "refresh", "", "")
	ask("refresh with nonsense", "POST", "refresh", "a.b.c", "")
	ask("logout", "POST", "logout", "", "", "Cookie", "kalamdb_refresh="+in.RefreshToken)
	ask("refresh after logout", "POST", "refresh", in.RefreshToken, "")
	ask("me after logout", "GET", "me", in.AccessToken, "")
	ask("logout without token", "POST", "logout", "", "")
	ask("no such endpoint", "GET", "nothing", "", "")
	ask("wrong method", "GET", "login", "", "")
	golden(t, "auth", got)
}

func TestLockout(t *testing.T) {
	h := start(t, setup{})
	h.user("alice", kalam.RoleUser)
	try := func(user, password string) response {
		return h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": user, "password": password})
	}
	for _, user := range []string{"alice", "nobody"} { // A name that does not exist is locked alike.
		for range 5 {
			if res := try(user, "wrong"); res.status != http.StatusUnauthorized ||
				!strings.Contains(res.body, `"error":"unauthorized"`) {
				t.Fatalf("%s: %d %s", user, res.status, res.body)
			}
		}
		res := try(user, user+"-password")
		if res.status != http.StatusUnauthorized || !strings.Contains(res.body, `"error":"account_locked"`) ||
			!strings.Contains(res.body, "15 minute(s)") {
			t.Errorf("%s: %d %s", user, res.status, res.body)
		}
	}
	h.clock.move(16 * time.Minute)
	if res := try("alice", "alice-password"); res.status != http.StatusOK {
		t.Errorf("after the lock: %d %s", res.status, res.body)
	}
}

func TestCookies(t *testing.T) {
	h := start(t, setup{})
	res := h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": "root", "password": rootPassword})
	cookies := res.header.Values("Set-Cookie")
	if len(cookies) != 2 {
		t.Fatalf("cookies %q", cookies)
	}
	for i, name := range []string{"kalamdb_auth=", "kalamdb_refresh="} {
		c := strings.ToLower(cookies[i])
		if !strings.HasPrefix(c, name) || !strings.Contains(c, "httponly") || !strings.Contains(c, "samesite=strict") ||
			!strings.Contains(c, "path=/") || !strings.Contains(c, "expires=") || strings.Contains(c, "secure") {
			t.Errorf("cookie %s", cookies[i])
		}
	}
	res = h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": "root", "password": rootPassword},
		"X-Forwarded-Proto", "https")
	if c := res.header.Get("Set-Cookie"); !strings.Contains(c, "secure") {
		t.Errorf("cookie over https: %s", c)
	}
	if res.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.header)
	}
	access, _, _ := strings.Cut(strings.TrimPrefix(res.header.Get("Set-Cookie"), "kalamdb_auth="), ";")
	if res := h.do("POST", "/v1/api/sql", "", `{"sql":"SELECT 1"}`, "Cookie",
		"kalamdb_auth="+access); res.status != http.StatusUnauthorized {
		t.Errorf("the SQL endpoint took a cookie: %d", res.status)
	}
}

const secret = "a secret of thirty-two bytes or so"

// forge signs claims by hand, so that nothing stands between a test and what it sends.
func forge(header, claims map[string]any, sign func(text string) []byte) string {
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(header) + "." + part(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign(text))
}

func hs256(key string) func(string) []byte {
	return func(text string) []byte {
		m := hmac.New(sha256.New, []byte(key))
		m.Write([]byte(text))
		return m.Sum(nil)
	}
}

// TestTokenAttacks sends tokens that must not be taken.
func TestTokenAttacks(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Auth.JWTSecret = secret }})
	alice := h.user("alice", kalam.RoleUser)
	var real struct {
		Epoch uint64 `json:"epoch"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(alice, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	decode(t, string(raw), &real)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	good := map[string]any{"iss": "kalamdb", "sub": "alice", "iat": now, "exp": now + 3600, "email": nil, "role": "user",
		"token_type": "access", "epoch": real.Epoch}
	header := map[string]any{"alg": "HS256", "typ": "JWT"}
	with := func(changes ...any) map[string]any {
		c := map[string]any{}
		for k, v := range good {
			c[k] = v
		}
		for i := 0; i < len(changes); i += 2 {
			if changes[i+1] == nil {
				delete(c, changes[i].(string))
				continue
			}
			c[changes[i].(string)] = changes[i+1]
		}
		return c
	}
	hs := func(claims map[string]any) string { return forge(header, claims, hs256(secret)) }
	const invalid, expired = "INVALID_CREDENTIALS", "TOKEN_EXPIRED"
	tests := []struct{ name, token, code string }{
		{"as the server makes it", hs(good), ""},
		{"real", alice, ""},
		{"alg none", forge(map[string]any{"alg": "none", "typ": "JWT"}, good, func(string) []byte { return nil }), invalid},
		{"alg None", forge(map[string]any{"alg": "None"}, good, func(string) []byte { return nil }), invalid},
		{"alg empty", forge(map[string]any{"alg": ""}, good, hs256(secret)), invalid},
		{"no alg", forge(map[string]any{"typ": "JWT"}, good, hs256(secret)), invalid},
		{"HS384 named", forge(map[string]any{"alg": "HS384"}, good, hs256(secret)), invalid},
		{"RS256 named, HMAC signed", forge(map[string]any{"alg": "RS256"}, good, hs256(secret)), invalid},
		{"ES256", forge(map[string]any{"alg": "ES256"}, good, func(text string) []byte {
			sig, err := jwt.SigningMethodES256.Sign(text, key)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}), invalid},
		{"kid traversal", forge(map[string]any{"alg": "HS256", "kid": "../../dev/null"}, good, hs256("")), invalid},
		{"jwk in the header", forge(map[string]any{"alg": "HS256", "jwk": map[string]any{"kty": "oct", "k": "AA"}},
			good, hs256("\x00")), invalid},
		{"other secret", forge(header, good, hs256("CHANGE_ME_IN_PRODUCTION")), invalid},
		{"empty secret", forge(header, good, hs256("")), invalid},
		{"no signature", strings.Join(strings.Split(alice, ".")[:2], ".") + ".", invalid},
		{"two parts", strings.Join(strings.Split(alice, ".")[:2], "."), invalid},
		{"four parts", alice + ".x", invalid},
		{"claims changed", strings.Split(alice, ".")[0] + "." +
			base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root","role":"system"}`)) + "." + strings.Split(alice, ".")[2],
			invalid},
		{"role forged", hs(with("role", "system")), invalid},
		{"role in upper case", hs(with("role", "User")), invalid},
		{"no role", hs(with("role", nil)), invalid},
		{"expired", hs(with("exp", now-61, "iat", now-3600)), expired},
		{"expired within the leeway", hs(with("exp", now-30, "iat", now-3600)), ""},
		{"no expiry", hs(with("exp", nil)), invalid},
		{"expiry as text", hs(with("exp", "never")), invalid},
		{"not yet valid", hs(with("nbf", now+3600)), invalid},
		{"issued in the future", hs(with("iat", now+3600)), invalid},
		{"other issuer", hs(with("iss", "evil")), invalid},
		{"no issuer", hs(with("iss", nil)), invalid},
		{"refresh token", hs(with("token_type", "refresh")), invalid},
		{"no type", hs(with("token_type", nil)), invalid},
		{"unknown user", hs(with("sub", "nobody")), invalid},
		{"no user", hs(with("sub", nil)), invalid},
		{"user is a list", hs(with("sub", []string{"alice"})), invalid},
		{"the built-in user system", hs(with("sub", "system", "role", "system")), invalid},
		{"root with alice's epoch", hs(with("sub", "root", "role", "system")), invalid},
		{"no epoch", hs(with("epoch", nil)), invalid},
		{"old epoch", hs(with("epoch", real.Epoch-1)), invalid},
		{"dots", strings.Repeat(".", 12000), invalid},
		{"8 KiB", hs(with("x", strings.Repeat("x", 8<<10))), invalid},
		{"not base64", "a.b.c", invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // The second time out of the cache, if it got there.
				res := h.do("POST", "/v1/api/sql", tt.token, `{"sql":"SELECT 1"}`)
				if tt.code == "" {
					if res.status != http.StatusOK {
						t.Fatalf("refused: %s", res.body)
					}
					continue
				}
				want := fmt.Sprintf(`{"status":"error","error":{"code":%q,"message":"Invalid credentials"},"results":[],"took":0.0,"took_ms":0}`, tt.code)
				if res.status != http.StatusUnauthorized || normal(res.body) != want {
					t.Fatalf("%d %s, want %s", res.status, normal(res.body), want)
				}
			}
		})
	}
}

func TestAuthorizationHeader(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	for header, code := range map[string]string{
		"Bearer " + root: "", "bearer " + root: "", "Basic cm9vdDpyb290": "INVALID_CREDENTIALS", root: "INVALID_CREDENTIALS",
		"Bearer": "INVALID_CREDENTIALS",
		"":       "MISSING_AUTHORIZATION",
	} {
		res := h.do("POST", "/v1/api/sql", "", `{"sql":"SELECT 1"}`, "Authorization", header)
		if code == "" && res.status != http.StatusOK || code != "" &&
			(res.status != http.StatusUnauthorized || !strings.Contains(res.body, code)) {
			t.Errorf("%.20q: %d %s", header, res.status, res.body)
		}
	}
}

// TestTokensEnd checks what ends a token at once, although its signature was
// verified before.
func TestTokensEnd(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	tests := []struct{ name, sql string }{
		{"password", "ALTER USER 'u' SET PASSWORD 'another-password'"},
		{"role", "ALTER USER 'u' SET ROLE service"},
		{"drop", "DROP USER 'u'"},
		{"update", "UPDATE system.users SET role = 'service' WHERE user_id = 'u'"},
		{"delete", "DELETE FROM system.users WHERE user_id = 'u'"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprint("user", i)
			h.user(name, kalam.RoleUser)
			in := h.login(name, name+"-password")
			if res := h.sql(in.AccessToken, "SELECT 1"); res.status != http.StatusOK {
				t.Fatal(res.body)
			}
			h.mustSQL(root, strings.ReplaceAll(tt.sql, "'u'", "'"+name+"'"))
			if res := h.sql(in.AccessToken, "SELECT 1"); res.status != http.StatusUnauthorized {
				t.Errorf("access token: %d", res.status)
			}
			if res := h.do("POST", "/v1/api/auth/refresh", in.RefreshToken, nil); res.status != http.StatusUnauthorized {
				t.Errorf("refresh token: %d", res.status)
			}
		})
	}
	t.Run("expiry", func(t *testing.T) {
		h.user("late", kalam.RoleUser)
		in := h.login("late", "late-password")
		h.clock.move(24*time.Hour + 30*time.Second)
		if res := h.sql(in.AccessToken, "SELECT 1"); res.status != http.StatusOK {
			t.Errorf("within the leeway: %s", res.body)
		}
		h.clock.move(time.Minute)
		for range 2 {
			if res := h.sql(in.AccessToken, "SELECT 1"); res.status != http.StatusUnauthorized ||
				!strings.Contains(res.body, "TOKEN_EXPIRED") {
				t.Errorf("access token: %d %s", res.status, res.body)
			}
		}
		if res := h.do("POST", "/v1/api/auth/refresh", in.RefreshToken, nil); res.status != http.StatusOK {
			t.Errorf("refresh token: %d %s", res.status, res.body)
		}
		h.clock.move(7 * 24 * time.Hour)
		if res := h.do("POST", "/v1/api/auth/refresh", in.RefreshToken, nil); res.status != http.StatusUnauthorized {
			t.Errorf("refresh token after its life: %d", res.status)
		}
	})
}

func TestSetupFromElsewhere(t *testing.T) {
	setupBody := `{"user":"admin","password":"a-good-password","root_password":"another-good-one"}`
	t.Run("through a proxy", func(t *testing.T) {
		h := start(t, setup{noRoot: true})
		for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded"} {
			for _, value := range []string{"203.0.113.9", "127.0.0.1"} {
				if res := h.do("POST", "/v1/api/auth/setup", "", setupBody, header, value); res.status != http.StatusForbidden ||
					!strings.Contains(res.body, `"error":"forbidden"`) {
					t.Errorf("%s %s: %d %s", header, value, res.status, res.body)
				}
				if res := h.do("GET", "/v1/api/auth/status", "", nil, header, value); res.status != http.StatusForbidden {
					t.Errorf("%s %s: status endpoint %d", header, value, res.status)
				}
			}
		}
	})
	t.Run("allowed", func(t *testing.T) {
		h := start(t, setup{noRoot: true, config: func(c *config.Config) { c.Auth.AllowRemoteSetup = true }})
		if res := h.do("POST", "/v1/api/auth/setup", "", setupBody, "X-Forwarded-For",
			"203.0.113.9"); res.status != http.StatusOK {
			t.Errorf("%d %s", res.status, res.body)
		}
	})
}

// TestSetupOfAForeignPage calls the setup as pages in a browser of the server's machine
// do: under names that point here, and from other origins (case N7, DNS rebinding).
func TestSetupOfAForeignPage(t *testing.T) {
	// A weak password, so that no call succeeds: 400 says that it was let in.
	const body = `{"user":"admin","password":"password","root_password":"another-good-one"}`
	const page = "http://page.example"
	tests := []struct {
		name           string
		host, origin   string // PORT is the server's.
		local, remote  int    // Status without and with auth.allow_remote_setup.
		cors, listenOn string // The configuration.
	}{
		{"no browser", "127.0.0.1:PORT", "", 400, 400, "", ""},
		{"localhost", "localhost:PORT", "", 400, 400, "", ""},
		{"LocalHost without port", "LocalHost", "", 400, 400, "", ""},
		{"IPv6", "[::1]:PORT", "", 400, 400, "", ""},
		{"IPv6 without port", "[::1]", "", 400, 400, "", ""},
		{"another loopback address", "127.3.2.1:PORT", "", 400, 400, "", ""},
		{"own page", "localhost:PORT", "http://localhost:PORT", 400, 400, "", ""},
		{"own page over https", "localhost:PORT", "https://localhost:PORT", 400, 400, "", ""},
		{"rebinding", "page.example:PORT", "http://page.example:PORT", 403, 400, "", ""},
		{"rebinding without origin", "page.example", "", 403, 400, "", ""},
		{"localhost as a subdomain", "localhost.page.example", "", 403, 400, "", ""},
		{"address as a subdomain", "127.0.0.1.page.example", "", 403, 400, "", ""},
		{"address of elsewhere", "203.0.113.9", "", 403, 400, "", ""},
		{"unspecified address", "0.0.0.0:PORT", "", 403, 400, "", ""},
		{"unspecified address, configured", "0.0.0.0:PORT", "", 403, 400, "", "0.0.0.0"},
		{"configured host", "db.example:PORT", "", 400, 400, "", "DB.example"},
		{"name beside the configured host", "xdb.example:PORT", "", 403, 400, "", "db.example"},
		{"foreign page", "localhost:PORT", page, 403, 403, "", ""},
		{"page of another port", "localhost:PORT", "http://localhost:1", 403, 403, "", ""},
		{"sandboxed page", "localhost:PORT", "null", 403, 403, "", ""},
		{"page with a user", "localhost:PORT", "http://x@localhost:PORT", 403, 403, "", ""},
		{"page of another scheme", "localhost:PORT", "ftp://localhost:PORT", 403, 403, "", ""},
		{"page of cors_origins", "localhost:PORT", page, 400, 400, page, ""},
		{"page of any cors origin", "localhost:PORT", page, 403, 403, "*", ""},
	}
	servers := map[string]*harness{} // By their configuration.
	for _, tt := range tests {
		for allow, want := range map[bool]int{false: tt.local, true: tt.remote} {
			key := fmt.Sprint(allow, tt.cors, tt.listenOn)
			if servers[key] == nil {
				servers[key] = start(t, setup{noRoot: true, config: func(c *config.Config) {
					c.Auth.AllowRemoteSetup, c.RateLimit.MaxAuthPerIP = allow, 0
					if tt.cors != "" {
						c.Server.CORSOrigins = []string{tt.cors}
					}
					if tt.listenOn != "" {
						c.Server.Host = tt.listenOn
					}
				}})
			}
			h := servers[key]
			t.Run(fmt.Sprint(tt.name, " ", allow), func(t *testing.T) {
				_, port, err := net.SplitHostPort(h.addr)
				if err != nil {
					t.Fatal(err)
				}
				call := func(method, path string, body io.Reader) response {
					req, err := http.NewRequestWithContext(t.Context(), method, h.url+"/v1/api/auth/"+path, body)
					if err != nil {
						t.Fatal(err)
					}
					req.Host = strings.ReplaceAll(tt.host, "PORT", port)
					req.Header.Set("Content-Type", "application/json")
					if tt.origin != "" {
						req.Header.Set("Origin", strings.ReplaceAll(tt.origin, "PORT", port))
					}
					return h.send(req)
				}
				if res := call("POST", "setup", strings.NewReader(body)); res.status != want {
					t.Errorf("setup: %d %s, want %d", res.status, res.body, want)
				}
				wantStatus := http.StatusOK
				if want == 403 {
					wantStatus = want
				}
				if res := call("GET", "status", nil); res.status != wantStatus {
					t.Errorf("status: %d %s, want %d", res.status, res.body, wantStatus)
				}
			})
		}
	}
}

func TestTokenSecret(t *testing.T) {
	c := config.Default()
	c.Storage.DataPath = filepath.Join(t.TempDir(), "data")
	first, err := api.TokenSecret(c)
	if err != nil || len(first) < 32 {
		t.Fatalf("%q %v", first, err)
	}
	again, err := api.TokenSecret(c)
	if err != nil || string(again) != string(first) {
		t.Errorf("another secret at the second start: %v", err)
	}
	path := filepath.Join(c.Storage.DataPath, "jwt_secret")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	other := c
	other.Storage.DataPath = t.TempDir()
	if s, err := api.TokenSecret(other); err != nil || string(s) == string(first) {
		t.Errorf("two data directories have one secret: %v", err)
	}
	if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.TokenSecret(c); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged secret: %v", err)
	}
	for _, tt := range []struct {
		host, secret string
		ok           bool
	}{
		{"127.0.0.1", "short", true}, {"localhost", "short", true}, {"::1", "short", true},
		{"0.0.0.0", "short", false}, {"", "short", false},
		{"192.0.2.1", "short", false}, {"0.0.0.0", strings.Repeat("x", 32), true},
	} {
		c.Server.Host, c.Auth.JWTSecret = tt.host, tt.secret
		if _, err := api.TokenSecret(c); (err == nil) != tt.ok {
			t.Errorf("host %q, %d bytes: %v", tt.host, len(tt.secret), err)
		} else if err != nil && strings.Contains(err.Error(), tt.secret+" ") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

// TestNoSecretsInTheLog looks for passwords and tokens in what was logged.
func TestNoSecretsInTheLog(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Log.SlowQueryMS = 1 }})
	root := h.root()
	in := h.login("root", rootPassword)
	h.mustSQL(root, "CREATE USER 'bob' WITH PASSWORD 'canary-password' ROLE user")
	h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": "bob", "password": "canary-wrong"})
	h.login("bob", "canary-password")
	for _, text := range []string{"canary-password", "canary-wrong", rootPassword, root, in.RefreshToken} {
		if strings.Contains(h.log.String(), text) {
			t.Errorf("the log holds %.20q", text)
		}
	}
}
