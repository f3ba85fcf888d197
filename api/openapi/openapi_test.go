package openapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kalamlake/kalam/api/openapi"
)

// TestDocument holds the document to the schema of OpenAPI 3.1, which is that of the OpenAPI Initiative (Apache-2.0).
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("testdata/oas31-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("meta.json", meta); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("meta.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.Document("v1")))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	if err := schema.Validate(map[string]any{"openapi": "3.1.0", "paths": map[string]any{}}); err == nil {
		t.Error("a document without info is taken: the schema says nothing")
	}
}

// TestReferences wants each reference to lead somewhere, each component to be used, and each operation to have an id of
// its own.
func TestReferences(t *testing.T) {
	text := string(openapi.Document("v1"))
	var doc struct {
		Components map[string]map[string]json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/(\w+)/(\w+)"`).FindAllStringSubmatch(text, -1) {
		used[m[1]+"/"+m[2]] = true
		if doc.Components[m[1]][m[2]] == nil {
			t.Errorf("there is no %s", m[0])
		}
	}
	for _, kind := range []string{"schemas", "responses"} {
		for name := range doc.Components[kind] {
			if !used[kind+"/"+name] {
				t.Errorf("nothing uses %s/%s", kind, name)
			}
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`"operationId": "(\w+)"`).FindAllStringSubmatch(text, -1) {
		if ids[m[1]] {
			t.Errorf("two operations have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	if len(used) < 20 || len(ids) < 15 {
		t.Errorf("%d references and %d operations were found", len(used), len(ids))
	}
}

func TestVersion(t *testing.T) {
	if text := string(openapi.Document("v7")); strings.Contains(text, `"/v1/`) || !strings.Contains(text, `"/v7/api/sql"`) {
		t.Error("the paths do not have the prefix of the server")
	}
}
