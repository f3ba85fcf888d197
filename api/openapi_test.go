package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/openapi"
	"github.com/kalamlake/kalam/config"
)

// generated is how many requests TestOpenAPIAnswers makes.
const generated = 2500

// contract is the description of the interface, against which answers are held.
type contract struct {
	t       *testing.T
	doc     map[string]any
	c       *jsonschema.Compiler
	schemas map[string]*jsonschema.Schema // By pointer.
	seen    map[string]int                // Answers by "operation status".
}

func newContract(t *testing.T) *contract {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.Document("v1")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return &contract{
		t: t, doc: doc.(map[string]any), c: c, schemas: map[string]*jsonschema.Schema{}, seen: map[string]int{},
	}
}

// at returns what stands at a path of members, nil for nothing.
func (k *contract) at(members ...string) any {
	var v any = k.doc
	for _, m := range members {
		o, _ := v.(map[string]any)
		v = o[m]
	}
	return v
}

// schema returns the schema at a path of members.
func (k *contract) schema(members ...string) *jsonschema.Schema {
	pointer := "#"
	for _, m := range members {
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(m))
	}
	if s := k.schemas[pointer]; s != nil {
		return s
	}
	s, err := k.c.Compile("openapi.json" + pointer)
	if err != nil {
		k.t.Fatal(err)
	}
	k.schemas[pointer] = s
	return s
}

// fits reports whether a JSON text is one of a schema.
func fits(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// check holds an answer to the operation of a method and a path as the document writes it.
func (k *contract) check(method, path string, res *http.Response, body []byte) {
	k.t.Helper()
	status := strconv.Itoa(res.StatusCode)
	k.seen[method+" "+path+" "+status]++
	where := []string{"paths", path, strings.ToLower(method), "responses", status}
	response, _ := k.at(where...).(map[string]any)
	if response == nil {
		k.t.Errorf("%s %s: the answer %s is not documented: %.300s", method, path, status, body)
		return
	}
	if ref, ok := response["$ref"].(string); ok {
		where = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		response, _ = k.at(where...).(map[string]any)
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			k.t.Errorf("%s %s %s: a body that is not documented: %.300s", method, path, status, body)
		}
		return
	}
	given := res.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(given)
	if _, ok := content[media]; err != nil || !ok {
		k.t.Errorf("%s %s %s: the type %q is not documented: %.300s", method, path, status, given, body)
		return
	}
	if media != "application/json" {
		return
	}
	if err := fits(k.schema(append(where, "content", media, "schema")...), body); err != nil {
		k.t.Errorf("%s %s %s: %v\n%.500s", method, path, status, err, body)
	}
}

// ask sends a request and holds the answer to the document. path is the document's.
func (k *contract) ask(h *harness, method, path string, req *http.Request) (int, []byte) {
	k.t.Helper()
	res, err := h.client.Do(req)
	if err != nil {
		k.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() {
		if err := res.Body.Close(); err != nil {
			k.t.Error(err)
		}
	}()
	var body []byte
	if res.StatusCode != http.StatusSwitchingProtocols {
		if body, err = io.ReadAll(res.Body); err != nil {
			k.t.Errorf("%s %s: %v", method, path, err)
		}
	}
	k.check(method, path, res, body)
	return res.StatusCode, body
}

// TestOpenAPIRoutes wants each route in the document, and each operation of the document to be a route.
func TestOpenAPIRoutes(t *testing.T) {
	h := start(t, setup{})
	var documented []string
	for path, item := range newContract(t).doc["paths"].(map[string]any) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			if item.(map[string]any)[method] != nil {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	routes := h.server.Routes()
	slices.Sort(routes)
	slices.Sort(documented)
	routes = slices.Compact(routes)
	if !slices.Equal(routes, documented) {
		t.Errorf("routes:\n%s\ndocumented:\n%s", strings.Join(routes, "\n"), strings.Join(documented, "\n"))
	}
	if len(routes) < 15 {
		t.Errorf("only %d routes", len(routes))
	}
	got := h.do("GET", "/v1/openapi.json", "", nil)
	if got.status != http.StatusOK || got.body != string(openapi.Document("v1")) {
		t.Errorf("/v1/openapi.json: %d, %d bytes", got.status, len(got.body))
	}
}

// TestOpenAPISetup holds a server without a password to the document.
func TestOpenAPISetup(t *testing.T) {
	h, k := start(t, setup{noRoot: true}), newContract(t)
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/api/auth/status", "", 200},
		{"POST", "/v1/api/auth/login", `{"user":"root","password":"x"}`, 428},
		{"POST", "/v1/api/auth/setup", `{"user":"admin","password":"short","root_password":"short"}`, 400},
		{"POST", "/v1/api/auth/setup", `{"user":"admin","password":"admin-password","root_password":"root-password"}`, 200},
		{"POST", "/v1/api/auth/setup", `{"user":"admin","password":"admin-password","root_password":"root-password"}`, 409},
		{"POST", "/v1/api/auth/login", `{"user":"admin","password":"admin-password"}`, 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), step.method, h.url+step.path, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if status, body := k.ask(h, step.method, step.path, req); status != step.status {
			t.Errorf("%s %s: %d, want %d: %s", step.method, step.path, status, step.status, body)
		}
	}
}

// statements are what TestOpenAPIAnswers runs, right and wrong ones.
var statements = []string{
	"", ";", " -- nothing", "SELECT 1", "SELECT $1", "SELECT $1, $2", "SELECT 1; SELECT 2",
	"SELECT * FROM app.notes", "SELECT * FROM app.notes WHERE id = $1", "INSERT INTO app.notes VALUES (%d, 'x')",
	"INSERT INTO app.notes VALUES (1, 'twice')", "INSERT INTO app.notes VALUES (%d, NULL)",
	"UPDATE app.notes SET body = 'y' WHERE id = %d", "DELETE FROM app.notes WHERE id = %d",
	"INSERT INTO app.notes VALUES (%d, 'z') RETURNING *", "SELECT * FROM app.nowhere",
	"SELECT nothing FROM app.notes", "SELEC 1", "SELECT 'open", "SELECT 'x'::INT", "SELECT 1 / 0",
	"SELECT sum(range) FROM range(1000)", "BEGIN; INSERT INTO app.notes VALUES (%d, 'b'); COMMIT",
	"BEGIN; SELECT 1", "EXPLAIN SELECT * FROM app.notes", "SHOW TABLES", "SHOW JOBS", "DESCRIBE app.notes",
	"SELECT * FROM system.users", "SELECT * FROM information_schema.columns", "DROP TABLE app.nowhere",
	"KILL JOB 'none'", "KILL QUERY 'none'", "EXECUTE AS USER 'anna' (SELECT count(*) FROM app.notes)",
	"CREATE USER TABLE app.t%d (id INT PRIMARY KEY)", "STORAGE FLUSH TABLE app.notes",
	"SELECT 1.5::DECIMAL(10,2), DATE '2020-01-01', TIME '10:00:00', now(), [1, 2], {'a': 1}, NULL, 'x'::BLOB, uuid(), true, 'NaN'::DOUBLE, 1::SMALLINT",
	"SELECT * FROM read_parquet('/etc/passwd')", "COPY app.notes TO '/tmp/x'", "SELECT repeat('x', 2000000)",
	"SELECT range AS n FROM range(300000)", "\x00", "SELECT \u2028 1", "SELECT * FROM app.notes LIMIT -1",
	"SHOW TABLE STATS app.notes", "SHOW EXPORT", "USE app",
}

// generator makes requests.
type generator struct {
	*rand.Rand
	h      *harness
	tokens []string
	n      int
}

// pick returns one of a list.
func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// value returns any JSON value.
func (g *generator) value() any {
	return pick[any](g, nil, true, 0, -1, 1.5, 1e300, 900, 4000, "", "x", "anna", "%00", strings.Repeat("y", 300),
		[]any{}, []any{1, "a", nil}, map[string]any{}, map[string]any{"a": 1}, json.Number("123456789012345678901234567890"))
}

// object returns an object that is right or changed in one member.
func (g *generator) object(right map[string]any) []byte {
	o := maps.Clone(right)
	names := slices.Sorted(maps.Keys(o))
	switch g.IntN(12) {
	case 0:
		delete(o, pick(g, names...))
	case 1, 2:
		o[pick(g, names...)] = g.value()
	case 3:
		o["more"] = g.value()
	}
	raw, err := json.Marshal(o)
	if err != nil {
		g.h.t.Fatal(err)
	}
	switch g.IntN(30) {
	case 0:
		raw = raw[:g.IntN(len(raw))]
	case 1:
		raw = pick(g, []byte("[]"), []byte("null"), []byte(`"x"`), []byte("{}{}"), []byte{0xff, '{'}, nil)
	}
	return raw
}

// body returns one for an operation, nil for one without.
func (g *generator) body(path string) []byte {
	switch path {
	case "/v1/api/sql":
		sql := pick(g, statements...)
		if strings.Contains(sql, "%d") {
			sql = fmt.Sprintf(sql, g.n)
		}
		o := map[string]any{"sql": sql}
		if strings.Contains(sql, "$") {
			o["params"] = []any{g.value(), g.value()}[:1+g.IntN(2)]
		}
		if g.IntN(4) == 0 {
			o["namespace_id"] = pick[any](g, "app", "default", nil, "no such", "")
		}
		return g.object(o)
	case "/v1/api/auth/login":
		return g.object(map[string]any{pick(g, "user", "username"): pick(g, "anna", "nobody"),
			"password": pick(g, "anna-password", "anna-password", "wrong")})
	case "/v1/api/auth/token":
		return g.object(map[string]any{"user": pick(g, "anna", "nobody", "root"), "expires_in": 1 + g.IntN(3600),
			"scopes": map[string]any{"read_only": true, "namespaces": []any{"app"}, "tables": []any{pick(g, "app.notes", "a.b.c")}}})
	case "/v1/api/auth/setup":
		return g.object(map[string]any{"user": "admin", "password": "admin-password", "root_password": "root-password",
			"email": "a@b.c"})
	}
	return nil
}

// request makes one of an operation.
func (g *generator) request(method, path string) (*http.Request, []byte) {
	g.n++
	address := strings.NewReplacer("{user}", pick(g, "anna", "root", "%2e%2e", "%00", "x"),
		"{id}", pick(g, "UE-000000000000", "x", "%2e%2e"), "{name}", pick(g, "heap", "goroutine", "none", "profile?seconds=0"),
		"{file}", pick(g, "", "main.js", "style.css", "icon.svg", "x", "%2e%2e/x")).Replace(path)
	switch {
	case path == "/v1/api/sql" && g.IntN(3) == 0:
		address += pick(g, "?rows=objects", "?rows=arrays", "?rows=x", "?other=1")
	case path == "/v1/ws":
		address += pick(g, "", "?compress=false", "?compression=gzip", "?compression=x", "?events=kalamdb",
			"?events=x", "?serialization=msgpack")
	}
	body := g.body(path)
	req, err := http.NewRequestWithContext(g.h.t.Context(), method, g.h.url+address, bytes.NewReader(body))
	if err != nil {
		g.h.t.Fatal(err)
	}
	g.headers(req, path, body)
	return req, body
}

// headers gives a request some of those that it may have.
func (g *generator) headers(req *http.Request, path string, body []byte) {
	set := func(name string, values ...string) { req.Header.Set(name, pick(g, values...)) }
	rarely := func(name string, values ...string) {
		if g.IntN(20) == 0 {
			set(name, values...)
		}
	}
	if body != nil {
		set("Content-Type", "application/json", "application/json", "application/json; charset=utf-8")
		rarely("Content-Type", "text/plain", "x")
	}
	if token := pick(g, g.tokens...); token != "" {
		req.Header.Set("Authorization", token)
	}
	rarely("Authorization", "Bearer x", "Basic eDp5")
	rarely("X-Api-Key", "kalam_none")
	rarely("X-User-Id", "anna", "nobody", "bad/id")
	rarely("X-Request-Id", "a-request", "bad id")
	rarely("Content-Encoding", "gzip")
	rarely("Accept", "application/json")
	if g.IntN(10) == 0 {
		set("Accept", "application/vnd.apache.arrow.stream")
		set("If-None-Match", "*", `"x"`)
	}
	if path == "/v1/ws" && g.IntN(4) > 0 {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "websocket")
		set("Sec-WebSocket-Version", "13")
		set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		rarely("Sec-WebSocket-Version", "12")
		rarely("Sec-WebSocket-Key", "short")
		if g.IntN(3) == 0 {
			set("Origin", "http://elsewhere.example", g.h.url)
		}
	}
}

// TestOpenAPIAnswers sends generated requests, right and wrong ones: none gives a 5xx or an answer that the document
// does not have, and no body that the document refuses succeeds.
func TestOpenAPIAnswers(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KALAM_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("KALAM_SEED=%d", seed)
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxAuthPerIP = 0 }})
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	root, anna := h.root(), h.user("anna", kalam.RoleUser)
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL)")
	h.user("svc", kalam.RoleService)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), h: h, n: 1000,
		tokens: []string{"", "Bearer " + root, "Bearer " + root, "Bearer " + root, "Bearer " + anna, "Bearer " + anna, "Bearer " + anna}}
	k := newContract(t)
	operations := h.server.Routes()
	for i := range generated {
		method, path, _ := strings.Cut(operations[g.IntN(len(operations))], " ")
		if i%2 == 0 {
			method, path = "POST", "/v1/api/sql"
		}
		req, body := g.request(method, path)
		if path == "/v1/api/auth/logout" { // It ends the tokens of its user.
			req.Header.Set("Authorization", "Bearer "+h.login("svc", "svc-password").AccessToken)
		}
		status, answer := k.ask(h, method, path, req)
		if status >= 500 {
			t.Errorf("%s %s: %d %.300s for %.300s", method, path, status, answer, body)
		}
		k.refused(method, path, status, body)
		if t.Failed() && i > 100 {
			t.Fatalf("after %d requests", i+1)
		}
	}
	k.exported(h, anna)
	for _, what := range slices.Sorted(maps.Keys(k.seen)) {
		t.Log(what, k.seen[what])
	}
	if len(k.seen) < 36 {
		t.Errorf("only %d different answers", len(k.seen))
	}
}

// refused wants no success for a body that the document refuses.
func (k *contract) refused(method, path string, status int, body []byte) {
	k.t.Helper()
	wanted := k.at("paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema", "$ref")
	ref, ok := wanted.(string)
	if !ok || status >= 300 {
		return
	}
	if err := fits(k.schema(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...), body); err != nil {
		k.t.Errorf("%s %s: a body succeeds that the document refuses: %v\n%.300s", method, path, err, body)
	}
}

// exported gets an export of a user's data, and new tokens for a refresh token: both exist once they were made.
func (k *contract) exported(h *harness, token string) {
	address := h.url + h.export(token)
	for path, a := range map[string]struct{ method, url, token string }{
		"/v1/exports/{user}/{id}": {"GET", address, token},
		"/v1/api/auth/refresh":    {"POST", h.url + "/v1/api/auth/refresh", h.login("anna", "anna-password").RefreshToken},
	} {
		req, err := http.NewRequestWithContext(k.t.Context(), a.method, a.url, nil)
		if err != nil {
			k.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+a.token)
		if status, body := k.ask(h, a.method, path, req); status != http.StatusOK {
			k.t.Errorf("%s: %d %.300s", path, status, body)
		}
	}
}
