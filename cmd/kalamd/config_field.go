package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam/config"
)

// field is one key of the configuration.
type field struct {
	value  reflect.Value // Settable.
	secret bool
}

// text is a value that was written as text and takes the type of its key: one of
// the environment or of a flag.
type text string

// fieldsOf returns the keys of a configuration, "section.key".
func fieldsOf(c *config.Config) map[string]field {
	fields := map[string]field{}
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		section := root.Field(i)
		name := root.Type().Field(i).Tag.Get("koanf")
		for j := range section.NumField() {
			f := section.Type().Field(j)
			fields[name+"."+f.Tag.Get("koanf")] = field{value: section.Field(j), secret: f.Tag.Get("secret") == "true"}
		}
	}
	return fields
}

// set gives the field a value of the configuration file, or a text. The error
// says what is expected, and shows the value unless it is a secret.
func (f field) set(v any) error {
	var ok bool
	if t, isText := v.(text); isText {
		ok = f.setText(string(t))
	} else {
		ok = f.setValue(v)
	}
	switch {
	case ok:
		return nil
	case f.secret:
		return fmt.Errorf("expected %s", f.kind())
	}
	return fmt.Errorf("expected %s, got %v", f.kind(), v)
}

// kind is the word for what a field takes.
func (f field) kind() string {
	switch f.value.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Slice:
		return "a list of texts"
	}
	return "a text"
}

// setValue sets a value that has a type, which must be the field's.
func (f field) setValue(v any) bool {
	switch f.value.Kind() {
	case reflect.Bool:
		b, ok := v.(bool)
		f.value.SetBool(b)
		return ok
	case reflect.Int, reflect.Int64:
		n, ok := v.(int64)
		if !ok || f.value.OverflowInt(n) {
			return false
		}
		f.value.SetInt(n)
		return true
	case reflect.String:
		s, ok := v.(string)
		f.value.SetString(s)
		return ok
	}
	list, ok := v.([]any)
	if !ok {
		return false
	}
	var texts []string // nil when there are none.
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			return false
		}
		texts = append(texts, s)
	}
	f.value.Set(reflect.ValueOf(texts))
	return true
}

// setText sets a value written as text; lists are separated by commas.
func (f field) setText(s string) bool {
	switch f.value.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		f.value.SetBool(b)
		return err == nil
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, f.value.Type().Bits())
		f.value.SetInt(n)
		return err == nil
	case reflect.String:
		f.value.SetString(s)
		return true
	}
	var texts []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			texts = append(texts, part)
		}
	}
	f.value.Set(reflect.ValueOf(texts))
	return true
}

// changed lists the keys that differ from their defaults.
func changed(c *config.Config) []string {
	defaults := config.Default()
	standard := fieldsOf(&defaults)
	var list []string
	for key, f := range fieldsOf(c) {
		got := fmt.Sprint(f.value.Interface())
		if got == fmt.Sprint(standard[key].value.Interface()) {
			continue
		}
		if f.secret {
			got = "[redacted]"
		}
		list = append(list, key+"="+got)
	}
	slices.Sort(list)
	return list
}

// suggestion returns " - did you mean ...?" for the key that differs least from
// an unknown one, if it differs little.
func suggestion[T any](fields map[string]T, key string) string {
	best, least := "", 3
	for known := range fields {
		if d := distance(key, known, least); d < least || d == least && best != "" && known < best {
			best, least = known, d
		}
	}
	if best == "" {
		return ""
	}
	return " - did you mean " + best + "?"
}

// distance returns how many letters must be added, removed or changed to make b
// of a, or some number above most.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
