package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestPython runs the tests of the Python client against servers of this code. Python is that of
// KALAM_PYTHON, which must have what they need, else python3 if it has.
func TestPython(t *testing.T) {
	python := os.Getenv("KALAM_PYTHON")
	if python == "" {
		var err error
		if python, err = exec.LookPath("python3"); err != nil {
			t.Log("python3 is absent: the Python client was not tested")
			return
		}
		if out, err := exec.Command(python, "-c", "import numpy, pandas, pyarrow, pytest, websockets").CombinedOutput(); err != nil {
			t.Logf("python3 lacks packages: the Python client was not tested\n%s", out)
			return
		}
	}
	server, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	tests := exec.CommandContext(ctx, python, "-m", "pytest", "-p", "no:cacheprovider")
	tests.Dir = filepath.Join("..", "..", "clients", "python")
	tests.Env = append(os.Environ(), serveInstead+"=1", "KALAMD="+server, "PYTHONDONTWRITEBYTECODE=1")
	// Interrupted, it ends its servers.
	tests.Cancel = func() error { return tests.Process.Signal(os.Interrupt) }
	tests.WaitDelay = time.Minute
	var out bytes.Buffer
	tests.Stdout, tests.Stderr = &out, &out
	if err := tests.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
}
