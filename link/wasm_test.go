package link_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/internal/eventually"
)

// TestWasm runs a query and a live query from WebAssembly, over the fetch and
// WebSocket of a JavaScript engine. Without node it builds the program only.
func TestWasm(t *testing.T) {
	program := filepath.Join(t.TempDir(), "smoke.wasm")
	build := exec.Command("go", "build", "-o", program, "./testdata/wasmsmoke")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Log("node is absent: the program was built, not run")
		return
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	f.answer(200,
		`{"status":"success","results":[{"schema":[{"name":"n","data_type":"BigInt","index":0}],"rows":[["1152921504606846976"]],"row_count":1,"as_user":"alice"}],"took":1}`)
	f.table.put(1, 1, false)
	run := exec.CommandContext(within(t), node, "--experimental-websocket",
		filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec_node.js"), program, f.URL)
	run.Args[0] = "browser" // Under the name of node, Go would not use fetch.
	run.Env = []string{}
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, "the program listens", func() bool { return f.table.listeners() == 1 })
	f.table.put(2, 22, false)
	if err := run.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	want := "rows [{\"n\":\"1152921504606846976\"}]\nconnected\ninitial 1 \"115292150460684697"
	got := out.String()
	if d := cmp.Diff(want, got[:min(len(want), len(got))]); d != "" || !strings.HasSuffix(got, "insert 22\n") {
		t.Errorf("got\n%s", got)
	}
}
