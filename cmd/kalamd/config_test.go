package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/config"
)

// inDir runs a test in an empty directory, where files are written first.
func inDir(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadPrecedence(t *testing.T) {
	inDir(t, map[string]string{
		"config.toml": "[server]\nport = 1001\nnode = \"default-file\"\n",
		"env.toml":    "[server]\nport = 1002\nnode = \"env-file\"\n",
		"flag.toml":   "[server]\nport = 1003\nnode = \"flag-file\"\nhost = \"127.0.0.2\"\n[storage]\ndata_path = \"/from/file\"\n",
	})
	tests := []struct {
		name    string
		flags   flags
		environ []string
		port    int
		node    string
		host    string
		data    string
		file    string
	}{
		{"default file", flags{}, nil, 1001, "default-file", "127.0.0.1", "./data", "config.toml"},
		{"file of the environment", flags{}, []string{"KALAM_CONFIG=env.toml"}, 1002, "env-file",
			"127.0.0.1", "./data", "env.toml"},
		{"file of the flag", flags{config: "flag.toml"}, []string{"KALAM_CONFIG=env.toml"}, 1003, "flag-file",
			"127.0.0.2", "/from/file", "flag.toml"},
		{"environment over file", flags{config: "flag.toml"},
			[]string{"KALAM_SERVER_PORT=2000", "KALAM_STORAGE_DATA_PATH=/from/env"}, 2000, "flag-file",
			"127.0.0.2", "/from/env", "flag.toml"},
		{"flags over all", flags{config: "flag.toml", data: "/from/flag", listen: "[::1]:0"},
			[]string{"KALAM_SERVER_PORT=2000", "KALAM_SERVER_HOST=x", "KALAM_STORAGE_DATA_PATH=/from/env"},
			0, "flag-file", "::1", "/from/flag", "flag.toml"},
		{"any address", flags{listen: ":9999"}, nil, 9999, "default-file", "", "./data", "config.toml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := load(tt.flags, tt.environ)
			if err != nil {
				t.Fatal(err)
			}
			c := s.Config
			if c.Server.Port != tt.port || c.Server.Node != tt.node || c.Server.Host != tt.host ||
				c.Storage.DataPath != tt.data || s.File != tt.file {
				t.Errorf("got %d %s %s %s %s, want %+v", c.Server.Port, c.Server.Node, c.Server.Host,
					c.Storage.DataPath, s.File, tt)
			}
		})
	}
}

func TestLoadDefaults(t *testing.T) {
	inDir(t, nil)
	s, err := load(flags{}, []string{"PATH=/bin", "KALAM_ROOT_PASSWORD=secret", "KALAM_PASSWORD=x",
		"KALAM_TEST_URL=y", "KALAM_DEMO_PORT=z"})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.Config, config.Default()) || len(s.Changed) != 0 ||
		s.File != "" || s.RootPassword != "secret" {
		t.Errorf("%+v", s)
	}
}

// TestEveryKey sets every key, once in a file and once in the environment.
func TestEveryKey(t *testing.T) {
	inDir(t, nil)
	defaults := config.Default()
	for key, f := range fieldsOf(&defaults) {
		section, name, _ := strings.Cut(key, ".")
		value := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int: "1", reflect.Int64: "1", reflect.String: `"x"`,
			reflect.Slice: `["x", "y"]`}[f.value.Kind()]
		switch key { // Keys that take certain values only.
		case "query.default_order":
			value = `"pk"`
		case "buffer.durability":
			value = `"relaxed"`
		case "live.shared_tables":
			value = `"allow"`
		case "protocol.events":
			value = `"kalamdb"`
		case "query.isolation":
			value = `"none"`
		case "query.dialect":
			value = `"duckdb"`
		case "log.format":
			value = `"json"`
		case "log.level":
			value = `"debug"`
		case "flush.schedule", "storage.scrub_schedule":
			value = `"@hourly"`
		case "storage.scrub_bytes_per_second", "exports.max_bytes", "audit.max_bytes":
			value = "1048576"
		case "storage.cache_bytes":
			value = "2097152"
		case "storage.credentials_key":
			value = `"` + strings.Repeat("ab", 32) + `"`
		case "query.memory_limit":
			value = `"1GB"`
		case "sharding.default_strategy":
			value = `"hash"`
		case "server.cors_origins":
			value = `["https://x.example", "https://y.example"]`
		case "metrics.listen":
			value = `"127.0.0.1:9464"`
		case "auth.bcrypt_cost":
			value = "4"
		}
		if value == "" {
			t.Fatalf("key %s has the kind %s", key, f.value.Kind())
		}
		file := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(file, []byte("["+section+"]\n"+name+" = "+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		fromFile, err := load(flags{config: file}, nil)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		plain := strings.NewReplacer(`"`, "", "[", "", "]", "").Replace(value)
		fromEnv, err := load(flags{}, []string{envName(key) + "=" + plain})
		if err != nil {
			t.Fatalf("%s: %v", envName(key), err)
		}
		if !reflect.DeepEqual(fromFile.Config, fromEnv.Config) {
			t.Errorf("%s: file gives %+v, environment %+v", key, fromFile.Config, fromEnv.Config)
		}
		if got := fieldsOf(&fromFile.Config)[key].value.Interface(); reflect.DeepEqual(got, f.value.Interface()) &&
			value != "true" && value != "1" {
			t.Errorf("%s was not set", key)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	tests := []struct {
		name, file string
		flags      flags
		environ    []string
		want       []string
	}{
		{name: "unknown key", file: "[server]\nport = 1\nprot = 2\n",
			want: []string{"unknown configuration key server.prot", "config.toml, line 3", "did you mean server.port?"}},
		{name: "unknown section", file: "# comment\n\n[sever]\nport = 1\n",
			want: []string{"unknown configuration key sever.port", "line 4"}},
		{name: "unknown empty section", file: "[extra]\n", want: []string{"unknown configuration key extra", "line 1"}},
		{name: "key at the top", file: "port = 1\n", want: []string{"unknown configuration key port", "line 1"}},
		{name: "deeper key", file: "[server.port]\nx = 1\n", want: []string{"unknown configuration key server.port.x"}},
		{name: "section is a value", file: "server = 1\n", want: []string{"unknown configuration key server "}},
		{name: "quoted key", file: "[server]\n\"port\" = \"x\"\n",
			want: []string{"server.port", "line 2", "expected an integer, got x"}},
		{name: "wrong type", file: "[server]\nport = \"8080\"\n",
			want: []string{"configuration key server.port", "line 2", "expected an integer, got 8080"}},
		{name: "float", file: "[server]\nport = 1.5\n", want: []string{"server.port", "expected an integer, got 1.5"}},
		{name: "bool", file: "[query]\ntiming = 1\n", want: []string{"query.timing", "expected true or false, got 1"}},
		{name: "text", file: "[server]\nhost = 1\n", want: []string{"server.host", "expected a text, got 1"}},
		{name: "list", file: "[server]\ncors_origins = \"x\"\n",
			want: []string{"server.cors_origins", "expected a list of texts, got x"}},
		{name: "list of numbers", file: "[server]\ncors_origins = [1]\n",
			want: []string{"server.cors_origins", "expected a list of texts"}},
		{name: "secret is not shown", file: "[auth]\njwt_secret = 123456\n",
			want: []string{"auth.jwt_secret", "expected a text"}},
		{name: "out of range", file: "[server]\n\nport = 70000\n",
			want: []string{"server.port", "0 to 65535", "config.toml, line 3"}},
		{name: "log level", file: "[log]\nlevel = \"loud\"\n",
			want: []string{"log.level", "debug, info, warn or error", "line 2"}},
		{name: "address for metrics", file: "[metrics]\nlisten = \"localhost\"\n",
			want: []string{"metrics.listen", "HOST:PORT", "line 2"}},
		{name: "size of memory", file: "[query]\nmemory_limit = \"lots\"\n",
			want: []string{"query.memory_limit", "a size such as 2GB", "line 2"}},
		{name: "short secret", file: "[auth]\njwt_secret = \"short\"\n[server]\nhost = \"0.0.0.0\"\n",
			want: []string{"auth.jwt_secret", "at least 32", "line 2"}},
		{name: "syntax", file: "[server]\nport = \n", want: []string{"config.toml, line 2"}},
		{name: "twice", file: "[server]\nport = 1\nport = 2\n", want: []string{"config.toml"}},
		{name: "missing file", flags: flags{config: "nothing.toml"}, want: []string{"nothing.toml"}},
		{name: "missing file of the environment", environ: []string{"KALAM_CONFIG=nothing.toml"},
			want: []string{"nothing.toml"}},
		{name: "unknown variable", environ: []string{"KALAM_SERVER_PROT=1"}, want: []string{"KALAM_SERVER_PROT"}},
		{name: "variable of a longer section", environ: []string{"KALAM_QUERY_CACHE_SIZE=1"},
			want: []string{"KALAM_QUERY_CACHE_SIZE"}},
		{name: "bad variable", environ: []string{"KALAM_SERVER_PORT=x"},
			want: []string{"server.port", "environment variable KALAM_SERVER_PORT", "expected an integer, got x"}},
		{name: "bad boolean variable", environ: []string{"KALAM_QUERY_TIMING=maybe"},
			want: []string{"KALAM_QUERY_TIMING", "true or false"}},
		{name: "variable out of range", environ: []string{"KALAM_AUTH_BCRYPT_COST=3"},
			want: []string{"auth.bcrypt_cost", "environment variable KALAM_AUTH_BCRYPT_COST"}},
		{name: "listen without port", flags: flags{listen: "localhost"}, want: []string{"--listen localhost", "HOST:PORT"}},
		{name: "listen with a name for a port", flags: flags{listen: "localhost:http"}, want: []string{"--listen", "number"}},
		{name: "listen on a port too high", flags: flags{listen: "localhost:65536"}, want: []string{"--listen", "65535"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{}
			if tt.file != "" {
				files[defaultFile] = tt.file
			}
			inDir(t, files)
			_, err := load(tt.flags, tt.environ)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "123456") {
				t.Errorf("error shows a secret: %v", err)
			}
		})
	}
}

func TestChanged(t *testing.T) {
	inDir(t, map[string]string{defaultFile: "[auth]\njwt_secret = \"canary-canary-canary-canary-canary\"\n[server]\nport = 8080\n[log]\nlevel = \"debug\"\n[query]\n"})
	s, err := load(flags{}, []string{"KALAM_SERVER_CORS_ORIGINS=https://a.example, https://b.example"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"auth.jwt_secret=[redacted]", "log.level=debug",
		"server.cors_origins=[https://a.example https://b.example]"}
	if !reflect.DeepEqual(s.Changed, want) {
		t.Errorf("%q, want %q", s.Changed, want)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"prot", "port", 2}} {
		if got := distance(tt.a, tt.b, 5); got != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestCredentialsKey is taken from its short name, and never shown.
func TestCredentialsKey(t *testing.T) {
	key := strings.Repeat("ab", 32)
	s, err := load(flags{}, []string{"KALAM_CREDENTIALS_KEY=" + key})
	if err != nil || s.Config.Storage.CredentialsKey != key || strings.Contains(strings.Join(s.Changed, " "), key) {
		t.Errorf("load = %q, %v", s.Changed, err)
	}
	if _, err := load(flags{}, []string{"KALAM_CREDENTIALS_KEY=nokey"}); err == nil || strings.Contains(err.Error(), "nokey") {
		t.Errorf("load of a short key = %v", err)
	}
}
