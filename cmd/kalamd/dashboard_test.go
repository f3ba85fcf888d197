package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
)

// dashboard is what docker/grafana/dashboards/kalam.json holds that matters here.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Type string } `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID      int                            `json:"id"`
		Type    string                         `json:"type"`
		Title   string                         `json:"title"`
		GridPos struct{ X, Y, W, H int }       `json:"gridPos"`
		Targets []struct{ RefID, Expr string } `json:"targets"`
	} `json:"panels"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	raw, err := os.ReadFile("../../docker/grafana/dashboards/kalam.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var figureName = regexp.MustCompile(`kalam_[a-z_]+`)

// TestDashboard checks that the dashboard shows figures that exist, and that its panels have an id and a place of their own.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	ids, queries := map[int]bool{}, 0
	taken := map[[2]int]string{}
	for _, p := range readDashboard(t).Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: the id is taken, or there is no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("panel %q lies over %q, or beside the page", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("panel %q has %d queries", p.Title, len(p.Targets))
		}
		for _, target := range p.Targets {
			queries++
			for _, name := range figureName.FindAllString(target.Expr, -1) {
				base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
				if !bytes.Contains(raw, []byte("`"+name+"`")) && !bytes.Contains(raw, []byte("`"+base+"` | histogram")) {
					t.Errorf("panel %q shows %s, which does not exist", p.Title, name)
				}
			}
			if !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("panel %q does not look at the chosen servers: %s", p.Title, target.Expr)
			}
		}
	}
	if queries < 40 {
		t.Errorf("%d queries", queries)
	}
}

// requirePrometheus is set where Prometheus was installed: its absence is a failure then.
const requirePrometheus = "KALAM_PROMETHEUS"

// TestDashboardQueries runs every query of the dashboard against a Prometheus that reads a server under load.
func TestDashboardQueries(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv(requirePrometheus) != "" {
			t.Fatal(err)
		}
		t.Log("NOT CHECKED: prometheus is absent: the dashboard's queries were read, not run")
		return
	}
	p := &process{t: t, dir: t.TempDir(), env: []string{"KALAM_RATE_LIMIT_MAX_QUERIES_PER_SEC=40"}}
	p.start()
	t.Cleanup(p.kill)
	load := newDashboardLoad(t, p)
	prom := startPrometheus(t, program, strings.TrimPrefix(p.url, "http://"))
	open := map[string]string{} // Queries without data yet, and where they are.
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5s", "$instance", ".*").Replace(target.Expr)
			open[expr] = fmt.Sprintf("%s %s", panel.Title, target.RefID)
		}
	}
	total := len(open)
	defer func() {
		for expr, where := range open {
			t.Errorf("no data of %s: %s", where, expr)
		}
	}()
	eventually.True(t, "every query has data", func() bool {
		load.step()
		for expr := range open {
			if prom.hasData(expr) {
				delete(open, expr)
			}
		}
		return len(open) == 0
	})
	t.Logf("%d queries of the dashboard have data", total)
	if !prom.hasData("kalam_build_info") {
		t.Error("there is nothing to choose a server from")
	}
}

// dashboardLoad is a user with a live query who writes and reads.
type dashboardLoad struct {
	t     *testing.T
	p     *process
	token string
	n     int
}

func newDashboardLoad(t *testing.T, p *process) *dashboardLoad {
	root := p.login("root", testRootPassword)
	p.sql(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT); "+
		"CREATE USER 'alice' WITH PASSWORD 'alice-password' ROLE user")
	c, err := link.New(link.Options{URL: p.url, Auth: link.Password("alice", "alice-password")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	sub, err := c.Subscribe(t.Context(), "SELECT id FROM app.t WHERE id > 0", link.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		for range sub.Events() { // A reader that keeps up.
		}
	}()
	t.Cleanup(func() { sub.Close(); <-taken })
	return &dashboardLoad{t: t, p: p, token: p.login("alice", "alice-password")}
}

// step writes a row, reads it in several ways, and makes a mistake. Some of it is refused for being too much, which is
// to be seen too.
func (l *dashboardLoad) step() {
	l.n++
	for _, sql := range []string{
		fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'x')", l.n),
		fmt.Sprintf("SELECT v FROM app.t WHERE id = %d", l.n),
		"SELECT count(*) FROM app.t WHERE v <> 'y'",
		"SELECT nothing FROM app.t",
	} {
		l.try(sql)
	}
}

// try runs a statement, whatever comes of it.
func (l *dashboardLoad) try(sql string) {
	l.t.Helper()
	body, err := json.Marshal(map[string]string{"sql": sql})
	if err != nil {
		l.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.p.url+"/v1"+wire.PathSQL, bytes.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+l.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode >= http.StatusInternalServerError {
		l.t.Fatalf("%s: status %d", sql, res.StatusCode)
	}
}

// prometheus is a running Prometheus.
type prometheus struct {
	t   *testing.T
	url string
}

// startPrometheus has a Prometheus read a server often.
func startPrometheus(t *testing.T, program, target string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	text := "global:\n  scrape_interval: 500ms\nscrape_configs:\n  - job_name: kalam\n    static_configs:\n" +
		"      - targets: [\"" + target + "\"]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	var log syncBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("log of prometheus:\n%s", log.String())
		}
	})
	p := &prometheus{t: t, url: "http://" + address}
	eventually.True(t, "prometheus is ready", func() bool {
		res, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

// hasData reports whether a query has a value now that is a number.
func (p *prometheus) hasData(expr string) bool {
	p.t.Helper()
	res, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Status != "success" {
		p.t.Fatalf("%s: %s, %v", expr, answer.Error, err)
	}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return true
		}
	}
	return false
}
