package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kalamlake/kalam/config"
)

// composeFile is what docker/docker-compose.yml holds; other members are faults.
type composeFile struct {
	Name     string                    `yaml:"name"`
	Services map[string]composeService `yaml:"services"`
	Networks map[string]any            `yaml:"networks"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Profiles []string `yaml:"profiles"` // Services without one are always started.

	Image string `yaml:"image"`
	Build struct {
		Context    string            `yaml:"context"`
		Dockerfile string            `yaml:"dockerfile"`
		Args       map[string]string `yaml:"args"`
	} `yaml:"build"`
	Restart         string            `yaml:"restart"`
	StopGracePeriod string            `yaml:"stop_grace_period"`
	Ports           []string          `yaml:"ports"`
	Environment     map[string]string `yaml:"environment"`
	Volumes         []string          `yaml:"volumes"`
	Networks        []string          `yaml:"networks"`
	Healthcheck     struct {
		Test        []string `yaml:"test"`
		Interval    string   `yaml:"interval"`
		Timeout     string   `yaml:"timeout"`
		Retries     int      `yaml:"retries"`
		StartPeriod string   `yaml:"start_period"`
	} `yaml:"healthcheck"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
}

var composeVariable = regexp.MustCompile(`\$\{([A-Z_]+)(:-([^}]*))?\}`)

// readCompose returns the compose file with its variables replaced, and the
// default of each variable.
func readCompose(t *testing.T, variables map[string]string) (f composeFile, defaults map[string]string) {
	t.Helper()
	raw, err := os.ReadFile("../../docker/docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	defaults = map[string]string{}
	text := composeVariable.ReplaceAllStringFunc(string(raw), func(use string) string {
		m := composeVariable.FindStringSubmatch(use)
		if m[2] == "" {
			t.Errorf("%s has no default", use)
		}
		defaults[m[1]] = m[3]
		if v := variables[m[1]]; v != "" { // Compose's :- takes an empty value for a missing one.
			return v
		}
		return m[3]
	})
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f, defaults
}

// dockerInstructions returns the arguments of the final stage's instructions.
func dockerInstructions(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../../Dockerfile.alpine")
	if err != nil {
		t.Fatal(err)
	}
	_, final, ok := bytes.Cut(raw, []byte("FROM alpine:"))
	if !ok {
		t.Fatal("no final stage on Alpine")
	}
	found := map[string]string{}
	for line := range strings.Lines(string(final)) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == strings.ToUpper(name) {
			found[name] = rest
		}
	}
	return found
}

// TestComposeStartsAServer checks that the stack fits the image, and that the
// server takes the environment which it gets, with defaults and with others.
func TestComposeStartsAServer(t *testing.T) {
	image := dockerInstructions(t)
	f, _ := readCompose(t, nil)
	s, ok := f.Services["kalam"]
	if !ok || len(s.Profiles) > 0 {
		t.Fatalf("services %v", f.Services)
	}
	for name, other := range f.Services {
		if name != "kalam" && len(other.Profiles) == 0 {
			t.Errorf("the service %s is started by itself", name)
		}
	}
	if _, err := os.Stat(filepath.Join("../../docker", s.Build.Context, s.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	if want := []string{"127.0.0.1:8080:" + image["EXPOSE"]}; !slices.Equal(s.Ports, want) {
		t.Errorf("ports %q, want %q", s.Ports, want)
	}
	health := strings.Join(append([]string{"CMD"}, s.Healthcheck.Test[1:]...), " ")
	if want := regexp.MustCompile(`["\[\],]`).ReplaceAllString(image["HEALTHCHECK"],
		""); !strings.HasSuffix(want, health) {
		t.Errorf("health check %q, the image has %q", health, want)
	}
	if want := []string{"data:" + image["VOLUME"], "./config:/etc/kalam:ro"}; !slices.Equal(s.Volumes, want) {
		t.Errorf("volumes %q, want %q", s.Volumes, want)
	}
	if _, ok := f.Volumes["data"]; !ok {
		t.Error("the volume is not declared")
	}
	for _, n := range s.Networks {
		if _, ok := f.Networks[n]; !ok {
			t.Errorf("network %s is not declared", n)
		}
	}
	want := config.Default()
	want.Server.Host, want.Storage.DataPath, want.Metrics.Listen = "0.0.0.0", image["VOLUME"], "0.0.0.0:9464"
	if got := composeSettings(t, nil); got.Config.Server.Host != want.Server.Host ||
		!slices.Equal(got.Changed, changed(&want)) {
		t.Errorf("with the defaults of the stack these keys differ: %v, want %v", got.Changed, changed(&want))
	}
	got := composeSettings(t, map[string]string{"KALAM_QUERY_TIMEOUT_SECONDS": "7",
		"KALAM_ROOT_PASSWORD": "secret-of-root"})
	if got.Config.Query.TimeoutSeconds != 7 || got.RootPassword != "secret-of-root" {
		t.Errorf("with variables: timeout %d, password %q", got.Config.Query.TimeoutSeconds, got.RootPassword)
	}
}

// composeSettings returns what the server makes of the image's and the stack's
// environment and of the configuration file that the stack mounts.
func composeSettings(t *testing.T, variables map[string]string) Settings {
	t.Helper()
	f, _ := readCompose(t, variables)
	environ := strings.Fields(dockerInstructions(t)["ENV"])
	for name, value := range f.Services["kalam"].Environment {
		if name == envFile {
			value = strings.Replace(value, "/etc/kalam", "../../docker/config", 1)
		}
		environ = append(environ, name+"="+value)
	}
	s, err := load(flags{}, environ)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEnvExample checks that docker/.env.example names every variable of the
// stack with its default.
func TestEnvExample(t *testing.T) {
	raw, err := os.ReadFile("../../docker/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			got[name] = value
		}
	}
	if _, want := readCompose(t, nil); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestExampleConfiguration checks that the keys in comments of the mounted
// configuration file exist and are shown with their defaults.
func TestExampleConfiguration(t *testing.T) {
	raw, err := os.ReadFile("../../docker/config/config.toml")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`(?m)^# (\[\w+\]|\w+ = .*)$`)
	file := filepath.Join(t.TempDir(), "config.toml")
	text := keys.ReplaceAll(raw, []byte("$1"))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load(flags{config: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys.FindAll(raw, -1)) < 2 || len(s.Changed) != 0 {
		t.Errorf("keys that differ from their defaults: %v, in\n%s", s.Changed, text)
	}
}

// TestComposeMetrics checks that the profile of Prometheus and Grafana fits: what is mounted is there, Prometheus asks the
// address on which the server answers, and the dashboard's source is Prometheus.
func TestComposeMetrics(t *testing.T) {
	f, _ := readCompose(t, nil)
	for name, s := range f.Services {
		if name == "kalam" {
			continue
		}
		if !slices.Equal(s.Profiles, []string{"metrics"}) || !slices.Equal(s.Networks, f.Services["kalam"].Networks) {
			t.Errorf("%s: profiles %q, networks %q", name, s.Profiles, s.Networks)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s is published to others: %s", name, p)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, volume := f.Volumes[from]; volume {
				continue
			}
			if _, err := os.Stat(filepath.Join("../../docker", from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(f.Services) != 3 {
		t.Errorf("%d services", len(f.Services))
	}
	_, port, _ := strings.Cut(composeSettings(t, nil).Config.Metrics.Listen, ":")
	for file, want := range map[string]string{
		"prometheus/prometheus.yml":                       `"kalam:` + port + `"`,
		"grafana/provisioning/datasources/prometheus.yml": "url: http://prometheus:9090\n",
		"grafana/provisioning/dashboards/kalam.yml":       "path: /var/lib/grafana/dashboards\n",
	} {
		raw, err := os.ReadFile(filepath.Join("../../docker", file))
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s does not have %q: %v", file, want, err)
		}
	}
}
