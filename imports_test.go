package kalam_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/kalamlake/kalam"

// layers says which packages of ours each package may import; "" is the root.
// Test files of a package may also import what its suites need (testsMay).
// The picture is in docs/architecture/overview.md.
var layers = map[string][]string{
	"":                       {},
	"sqltext":                {""},
	"internal/eventually":    {},
	"internal/nearest":       {},
	"internal/syncdir":       {},
	"internal/servicenotify": {},
	"internal/servertest":    {},
	"datatype":               {""},
	"dialect/spelling":       {"", "sqltext"},
	"dialect/ast":            {"", "sqltext"},
	"dialect/tableopts":      {"", "sqltext", "dialect/ast"},
	"dialect":                {"", "sqltext", "dialect/ast", "dialect/spelling", "dialect/tableopts"},
	"link/wire":              {""},
	"link":                   {"", "sqltext", "link/wire"},
	"link/sqldriver":         {"", "sqltext", "link"},
	"examples/databasesql":   {"link", "link/sqldriver"},
	"examples/liverows":      {"link"},
	"buffer/rowlog":          {""},
	"buffer/memtable":        {"", "datatype", "buffer/rowlog"},
	"buffer/backlog":         {""},
	"buffer":                 {"", "buffer/backlog", "buffer/memtable", "buffer/rowlog"},
	"buffer/badger":          {"", "buffer"},
	"buffer/memory":          {"", "buffer"},
	"buffer/remains":         {"", "buffer", "buffer/rowlog"},
	"buffer/atrest":          {"", "buffer", "buffer/rowlog"},
	"buffer/buffertest":      {"", "buffer"},
	"lake/layout":            {""},
	"lake/integrity":         {""},
	"lake/keyindex":          {"", "lake/integrity"},
	"lake/parquet":           {"", "datatype", "lake/integrity", "lake/keyindex"},
	"lake": {
		"", "datatype", "lake/layout", "lake/integrity", "lake/keyindex", "lake/parquet",
	},
	"lake/recovery": {
		"", "datatype", "lake", "lake/layout", "lake/integrity", "lake/keyindex", "lake/parquet",
	},
	"lake/file":           {"", "lake", "lake/layout"},
	"lake/s3":             {"", "lake", "lake/layout"},
	"lake/s3/s3test":      {},
	"lake/laketest":       {"", "lake", "lake/layout", "lake/keyindex", "lake/parquet", "datatype"},
	"subscribe":           {"", "datatype"},
	"internal/usage":      {},
	"jobs":                {"", "internal/usage"},
	"jobs/jobstest":       {"", "jobs"},
	"internal/persistent": {},
	"catalog/rights":      {""},
	"catalog":             {"", "internal/persistent", "catalog/rights", "buffer", "datatype", "dialect", "dialect/ast"},
	"audit":               {"", "buffer", "sqltext"},
	"query/tree":          {},
	"query/duckerr":       {},
	"query/guard":         {"", "sqltext", "datatype", "dialect", "dialect/ast", "query/tree", "query/duckerr"},
	"query/filter":        {"", "datatype", "subscribe", "query/tree", "query/guard"},
	"query": {
		"", "sqltext", "datatype", "dialect", "dialect/ast", "subscribe", "query/tree", "query/duckerr",
		"query/guard", "query/filter",
	},
	"query/worker": {
		"", "sqltext", "datatype", "query", "query/activity", "query/duckerr", "query/memlimit", "query/process",
		"query/sandbox", "query/shm", "query/wire",
	},
	"query/pool": {
		"", "query", "query/activity", "query/duckerr", "query/memlimit", "query/process", "query/sandbox", "query/shm",
		"query/turns", "query/wire", "internal/usage",
	},
	"query/activity":         {""},
	"query/wire":             {"", "query", "query/duckerr"},
	"query/memlimit":         {""},
	"query/worker/querytest": {},
	"query/sandbox":          {},
	"query/process":          {"", "query/sandbox"},
	"query/shm":              {""},
	"query/turns":            {""},
	"access":                 {"", "dialect", "dialect/ast", "catalog", "catalog/rights"},
	"systables": {
		"", "access", "audit", "datatype", "buffer", "catalog", "query", "subscribe", "lake", "lake/layout",
	},
	"views":       {"", "access", "catalog", "dialect", "dialect/ast", "query", "sqltext"},
	"asof":        {"", "datatype", "sqltext"},
	"read/arrays": {"", "datatype", "sqltext"},
	"read/policy": {"", "access", "catalog/rights", "datatype", "sqltext", "subscribe"},
	"read": {"read/policy",
		"", "read/arrays", "asof", "views", "sqltext", "access", "systables", "datatype", "dialect", "dialect/ast", "buffer", "catalog", "catalog/rights", "query",
		"query/activity", "segments",
	},
	"live/jobfeed": {"", "datatype"},
	"live": {"catalog/rights", "read/policy",
		"", "sqltext", "access", "read", "read/arrays", "systables", "datatype", "dialect", "dialect/ast", "buffer", "query",
		"query/filter", "subscribe",
	},
	"session/schema": {"", "systables", "access", "catalog", "views", "datatype", "dialect", "dialect/ast", "jobs", "read", "sqltext", "buffer"},
	"export": {
		"", "sqltext", "access", "buffer", "datatype", "dialect/ast", "internal/syncdir", "jobs", "lake/layout",
		"lake/parquet", "read",
	},
	"export/iceberg":             {"", "buffer", "catalog", "datatype", "jobs", "lake", "lake/layout", "lake/parquet", "segments"},
	"export/iceberg/icebergtest": {},
	"session/exports":            {"", "access", "dialect/ast", "export", "export/iceberg", "read"},
	"session/gate":               {"", "buffer"},
	"session/trail":              {"", "audit", "dialect/ast"},
	"session/counts":             {"", "buffer", "datatype"},
	"session/accounts":           {"", "access", "catalog", "dialect/ast"},
	"session/credentials":        {"", "access", "catalog", "catalog/rights", "dialect/ast", "subscribe", "systables"},
	"session/locations":          {"", "access", "catalog", "dialect/ast", "storages"},
	"session/placeholders":       {"", "sqltext"},
	"session/settings":           {"", "sqltext", "internal/nearest", "dialect/ast", "query"},
	"session/cache":              {"", "sqltext", "dialect", "dialect/ast", "read"},
	"session/suggest":            {"", "access", "dialect/ast", "internal/nearest", "query/guard", "sqltext"},
	"session": {"catalog/rights",
		"", "audit", "session/trail", "sqltext", "internal/nearest", "access", "views", "live", "read", "systables", "datatype", "dialect",
		"dialect/ast", "buffer", "catalog", "query", "query/activity",
		"export", "export/iceberg", "session/exports", "session/counts", "session/accounts", "session/cache", "session/credentials", "session/gate", "session/locations", "session/placeholders", "session/schema", "session/settings", "session/suggest",
		"subscribe", "jobs", "lake", "storages",
	},
	"storages":      {"", "internal/syncdir", "catalog", "lake", "lake/file", "lake/layout", "lake/s3"},
	"segments":      {"", "buffer", "datatype", "lake", "lake/keyindex", "query"},
	"maintain/pair": {"", "buffer", "buffer/badger", "catalog", "lake", "lake/file", "lake/layout"},
	"maintain/adopt": {
		"", "buffer", "buffer/badger", "catalog", "lake", "lake/file", "lake/layout", "lake/recovery",
		"maintain/pair",
	},
	"maintain/inspect": {"", "catalog", "lake", "maintain/pair", "storages"},
	"maintain/verify":  {"", "audit", "buffer", "buffer/atrest", "buffer/remains", "catalog", "lake", "lake/layout", "maintain/inspect", "maintain/purge"},
	"maintain/purge":   {"", "buffer", "buffer/remains", "catalog", "jobs", "lake", "maintain/pair"},
	"maintain/repair":  {"", "lake", "lake/layout", "maintain/backup", "maintain/inspect", "maintain/verify"},
	"maintain/backup": {
		"", "buffer", "buffer/atrest", "buffer/badger", "catalog", "lake", "lake/file", "lake/layout", "maintain/pair",
		"internal/syncdir",
	},
	"maintain": {
		"", "datatype", "buffer", "lake", "lake/layout", "lake/keyindex", "lake/parquet", "catalog", "query",
		"jobs", "segments",
		"maintain/pair", "maintain/purge", "maintain/backup", "maintain/verify",
	},
	"metrics": {
		"", "audit", "buffer", "dialect/ast", "maintain/pair", "query", "systables",
	},
	"config": {"", "audit", "export", "lake/layout", "query/memlimit", "maintain", "maintain/pair", "maintain/adopt", "maintain/inspect", "storages", "systables"},
	"engine": {
		"audit", "config", "metrics", "export", "export/iceberg", "link/wire",
		"access", "systables", "read", "live", "live/jobfeed", "session", "session/cache", "session/suggest",
		"", "sqltext", "datatype", "dialect", "dialect/ast", "buffer", "buffer/badger", "lake", "lake/file",
		"catalog", "query", "subscribe",
		"jobs", "segments", "storages", "query/worker", "query/pool", "query/activity",
		"maintain", "maintain/pair", "maintain/adopt", "maintain/verify",
	},
	"api/results":  {"", "datatype", "read", "session", "link/wire"},
	"api/console":  {},
	"api/openapi":  {},
	"api/profile":  {},
	"api/origins":  {""},
	"api/identity": {"", "access", "catalog", "config", "internal/syncdir"},
	"api/hosts":    {},
	"api/activity": {},
	"api/quickack": {},
	"api": {
		"", "api/console", "api/hosts", "api/origins", "api/activity", "api/quickack", "audit", "api/openapi", "api/profile", "api/identity", "api/results", "config", "access", "read", "live", "session", "sqltext", "datatype", "dialect",
		"dialect/ast", "catalog", "engine", "subscribe", "link/wire",
	},
	"shell/scan":      {},
	"shell/complete":  {"", "sqltext", "link", "shell/scan"},
	"shell/format":    {"", "sqltext", "link", "shell/scan"},
	"shell/settings":  {},
	"shell/tstypes":   {},
	"shell/edit":      {"", "link", "shell/complete", "shell/format", "shell/settings"},
	"shell/highlight": {"", "sqltext"},
	"shell/transfer":  {"", "sqltext", "link", "link/wire"},
	"shell": {
		"", "sqltext", "dialect", "dialect/ast", "link", "link/wire", "internal/nearest",
		"shell/scan", "shell/complete", "shell/edit", "shell/format", "shell/highlight", "shell/settings", "shell/transfer",
		"shell/tstypes",
	},
	"cmd/kalamd": {"", "api", "config", "engine", "internal/servicenotify", "link/wire", "maintain/adopt", "maintain/backup", "maintain/inspect", "maintain/repair",
		"maintain/verify", "query/worker",
	},
	"cmd/kalam":       {"", "shell", "shell/transfer"},
	"cmd/kalam-bench": {"", "sqltext", "dialect", "dialect/ast", "link", "link/wire", "query/worker/querytest"},
}

// testsMay is what the tests of a package import beyond its layer.
var testsMay = map[string][]string{
	"live/jobfeed":      {"buffer/memory", "catalog"},
	"dialect":           {"datatype"},
	"buffer":            {"buffer/badger", "buffer/memory", "buffer/buffertest", "buffer/remains", "datatype"},
	"buffer/badger":     {"buffer/buffertest", "datatype"},
	"buffer/buffertest": {"buffer/memory"},
	"buffer/memory":     {"buffer/buffertest"},
	"lake":              {"lake/file", "lake/laketest", "lake/parquet"},
	"lake/file":         {"lake/laketest"},
	"lake/s3":           {"lake/laketest", "lake/s3/s3test", "internal/eventually"},
	"access":            {"buffer/memory"},
	"audit":             {"buffer/badger"},
	"read":              {"buffer/memory", "lake", "lake/file", "query/worker"},
	"storages":          {"access", "buffer/memory", "lake/s3/s3test", "internal/eventually"},
	"maintain":          {"buffer/memory", "jobs/jobstest"},
	"maintain/backup":   {"buffer/memory"},
	"jobs":              {"jobs/jobstest"},
	"catalog":           {"access", "buffer/memory", "buffer/buffertest", "buffer/badger"},
	"engine": {
		"buffer/memory", "buffer/buffertest", "lake/laketest", "lake/layout", "lake/s3/s3test", "link/wire",
		"internal/eventually", "maintain/backup", "maintain/repair", "export/iceberg/icebergtest",
	},
	"export/iceberg": {"export/iceberg/icebergtest", "lake/file"},
	"api":            {"link", "query/worker", "internal/eventually"},
	"query":          {"query/worker", "query/pool", "internal/eventually", "internal/usage"},
	"query/pool":     {"datatype", "query/worker", "internal/eventually"},
	"link":           {"internal/eventually", "internal/servertest"},
	"link/sqldriver": {"internal/eventually", "internal/servertest"},
	"shell":          {"link/wire"},
	"cmd/kalamd": {
		"link", "link/wire", "datatype", "buffer/buffertest", "lake/s3/s3test", "query/pool", "internal/eventually",
		"export/iceberg/icebergtest",
	},
	"cmd/kalam-bench": {"datatype", "engine", "buffer/badger", "query", "query/worker"},
}

// reserved packages may be imported by one package of ours only.
var reserved = map[string]string{
	"github.com/duckdb/":            "query/worker",
	"github.com/dgraph-io/badger/":  "buffer/badger",
	"github.com/minio/minio-go/":    "lake/s3",
	"github.com/gofiber/":           "api",
	"github.com/valyala/fasthttp":   "api",
	"github.com/c-bata/go-prompt":   "shell/edit",
	"github.com/jedib0t/go-pretty/": "shell",
	"github.com/robfig/cron/":       "jobs",
	"github.com/golang-jwt/":        "api",
	"github.com/MicahParks/":        "api/identity",
	"github.com/knadh/koanf/":       "cmd/kalamd",
	"gopkg.in/natefinch/lumberjack": "cmd/kalamd",
	"github.com/pelletier/go-toml/": "shell/settings",
	"github.com/agnivade/":          "internal/nearest",
	"github.com/prometheus/":        "metrics",
	"github.com/twmb/avro":          "export/iceberg",
}

// withoutArrow must not import Arrow: they are for clients, or hold plain words.
var withoutArrow = []string{"", "sqltext", "dialect", "link", "link/sqldriver", "link/wire", "shell", "shell/complete", "shell/edit",
	"shell/format", "shell/highlight", "shell/transfer", "jobs",
	"subscribe", "catalog", "cmd/kalam"}

// goPackage is what `go list -json` prints of a package.
type goPackage struct {
	Dir, ImportPath                    string
	Imports, TestImports, XTestImports []string
	Standard                           bool
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-tags", "duckdb_arrow", "-json=Dir,ImportPath,Imports,TestImports,XTestImports",
		"./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// TestImports fails on an import that the architecture does not allow.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		allowed, known := layers[name]
		if !known {
			t.Errorf("package %s has no place in the layers; add it to imports_test.go and docs/architecture/overview.md",
				p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			checkOurs(t, name, path, allowed)
			checkForeign(t, name, path)
		}
		for _, path := range append(p.TestImports, p.XTestImports...) {
			checkOurs(t, name+" (tests)", path, append(append([]string{name}, allowed...), testsMay[name]...))
		}
	}
}

func checkOurs(t *testing.T, from, path string, allowed []string) {
	t.Helper()
	if path != module && !strings.HasPrefix(path, module+"/") {
		return
	}
	to := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
	for _, a := range allowed {
		if a == to {
			return
		}
	}
	t.Errorf("%q must not import %q: imports point only down (docs/architecture/overview.md)", from, to)
}

func checkForeign(t *testing.T, from, path string) {
	t.Helper()
	for prefix, owner := range reserved {
		if strings.HasPrefix(path, prefix) && from != owner && !strings.HasPrefix(from, owner+"/") {
			t.Errorf("%q imports %s, which only %q may", from, path, owner)
		}
	}
	if from == "" && strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
		t.Errorf("the root package imports %s; it takes the standard library only", path)
	}
	for _, name := range withoutArrow {
		if from == name && strings.HasPrefix(path, "github.com/apache/arrow-go/") {
			t.Errorf("%q imports %s; it must do without Arrow", from, path)
		}
	}
}
