package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Error is a mistake in config.toml.
type Error struct {
	Path string
	Line int    // 1-based.
	Key  string // With its section, "" for text that is no TOML.
	Text string
}

// Error names the file, the line and the key.
func (e *Error) Error() string {
	where := fmt.Sprintf("Configuration error: %s line %d: ", e.Path, e.Line)
	if e.Key != "" {
		where += e.Key + ": "
	}
	return where + e.Text
}

// parse reads the text of a file at path.
func parse(path string, text []byte, formats []string) (f File, warnings []string, err error) {
	f = Defaults()
	var sections map[string]any
	if err := toml.Unmarshal(text, &sections); err != nil {
		line := 0
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, _ = at.Position()
		}
		return f, nil, &Error{Path: path, Line: line, Text: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	known := map[string]key{}
	for _, k := range keys(formats) {
		known[k.name] = k
	}
	for _, found := range keyLines(text) {
		value, k := lookup(sections, found.name), known[found.name]
		switch {
		case k.set == nil:
			warnings = append(warnings, fmt.Sprintf("%s line %d: unknown key %s", path, found.line, found.name))
		case !k.set(&f, value):
			return f, nil, &Error{Path: path, Line: found.line, Key: found.name,
				Text: fmt.Sprintf("%s is not allowed (expected %s)", shown(found.name, value), k.allowed)}
		}
	}
	return f, warnings, nil
}

// shown is a value for a message; that of a secret is not shown.
func shown(name string, v any) string {
	switch s, ok := v.(string); {
	case strings.Contains(name, "token"), strings.Contains(name, "apikey"):
		return "the value"
	case ok:
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

// lookup returns the value of a key with its section.
func lookup(sections map[string]any, name string) any {
	section, rest, ok := strings.Cut(name, ".")
	if !ok {
		return sections[name]
	}
	inner, _ := sections[section].(map[string]any)
	return inner[rest]
}

// keyLine is where a key stands.
type keyLine struct {
	name string
	line int
}

// keyLines returns the keys of a text that is valid TOML, in order.
func keyLines(text []byte) (found []keyLine) {
	p := unstable.Parser{}
	p.Reset(text)
	section := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			section, _ = keyName(&p, e)
		case unstable.KeyValue:
			name, line := keyName(&p, e)
			if section != "" {
				name = section + "." + name
			}
			found = append(found, keyLine{name, line})
		}
	}
	return found
}

// keyName returns the dotted name of an expression's key and its line.
func keyName(p *unstable.Parser, e *unstable.Node) (name string, line int) {
	var parts []string
	for it := e.Key(); it.Next(); {
		n := it.Node()
		if line == 0 {
			line = p.Shape(n.Raw).Start.Line
		}
		parts = append(parts, string(n.Data))
	}
	return strings.Join(parts, "."), line
}
