// Package icebergtest reads Apache Iceberg tables with a reader that knows nothing of kalam: pyiceberg, with
// pyarrow. Tests import it.
package icebergtest

import (
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// Python is the environment variable with the Python program that has pyiceberg. Without it, it is python3.
const Python = "KALAM_PYICEBERG"

//go:embed read.py
var script string

// Column is a column of a table.
type Column struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Required bool   `json:"required"`
	Doc      string `json:"doc"`
}

// Table is what a reader finds. Cells are nil, booleans or text: numbers have all their digits, floats are hexadecimal,
// times are microseconds and dates days, bytes and UUIDs are hexadecimal digits.
type Table struct {
	UUID       string            `json:"uuid"`
	Location   string            `json:"location"`
	Properties map[string]string `json:"properties"`
	Snapshots  int               `json:"snapshots"`
	Keys       []int             `json:"keys"`
	Files      []string          `json:"files"`   // Of the scan, after pruning.
	Deletes    []string          `json:"deletes"` // Likewise.
	Columns    []Column          `json:"columns"`
	Rows       [][]any           `json:"rows"`
}

// Options are what Read reads with.
type Options struct {
	Filter     string            // A condition on rows, "" for none.
	Properties map[string]string // Of pyiceberg's FileIO, for tables in a bucket.
}

// Read reads the table with a metadata file, or in a folder with metadata/version-hint.text. ok is false, and the log
// says so, where there is no pyiceberg.
func Read(t testing.TB, metadata string, o Options) (found Table, ok bool) {
	t.Helper()
	python := os.Getenv(Python)
	if python == "" {
		python = "python3"
		//nolint:gosec // Who runs the tests names the program.
		if err := exec.CommandContext(t.Context(), python, "-c", "import pyiceberg, pyarrow").Run(); err != nil {
			t.Logf("pyiceberg is absent (%s is not set): the table was written, and not read by it", Python)
			return found, false
		}
	}
	properties, err := json.Marshal(o.Properties)
	if err != nil {
		t.Fatal(err)
	}
	if o.Properties == nil {
		properties = []byte("{}")
	}
	//nolint:gosec // As above.
	cmd := exec.CommandContext(t.Context(), python, "-c", script, metadata, o.Filter, string(properties))
	out, err := cmd.Output()
	if err != nil {
		text := ""
		if exit, is := err.(*exec.ExitError); is { //nolint:errorlint // Output gives it as it is.
			text = string(exit.Stderr)
		}
		t.Fatalf("read %s with pyiceberg: %v\n%s", metadata, err, text)
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("pyiceberg gave %.500s: %v", out, err)
	}
	return found, true
}
