package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/config"
)

// TestConfigurationIsDocumented checks that docs/reference/configuration.md has a
// line for every key, with its default and its description, and none for others.
func TestConfigurationIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/reference/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, changes, _ := strings.Cut(string(raw), "## Changes while the server runs")
	changes, _, _ = strings.Cut(changes, "\n## ")
	documented := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "| `") && !strings.HasPrefix(line, "| `"+envPrefix) {
			documented[strings.TrimSpace(line)] = true
		}
	}
	defaults := config.Default()
	root := reflect.ValueOf(defaults)
	for i := range root.NumField() {
		section := root.Field(i)
		for j := range section.NumField() {
			f := section.Type().Field(j)
			value := fmt.Sprintf("`%v`", section.Field(j).Interface())
			switch section.Field(j).Kind() {
			case reflect.String:
				value = fmt.Sprintf("`%q`", section.Field(j).Interface())
			case reflect.Slice:
				value = "`[]`"
			}
			key := root.Type().Field(i).Tag.Get("koanf") + "." + f.Tag.Get("koanf")
			named := strings.Contains(changes, "`"+key+"`") || strings.Contains(changes, "`"+root.Type().Field(i).Tag.Get("koanf")+".*`")
			if named != (f.Tag.Get("reload") == "true") {
				t.Errorf("%s: named among the keys that SIGHUP takes over: %v", key, named)
			}
			want := fmt.Sprintf("| `%s` | %s | %s |", key, value, f.Tag.Get("doc"))
			if !documented[want] {
				t.Errorf("missing line:\n%s", want)
			}
			delete(documented, want)
		}
	}
	for line := range documented {
		t.Errorf("line about no key, or with another default:\n%s", line)
	}
}
