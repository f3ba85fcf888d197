package systables

import (
	"context"

	"github.com/kalamlake/kalam"
)

// Setting is one key of a configuration.
type Setting struct {
	Name        string // "server.port".
	Value       string
	Description string
	Category    string // The section.
}

// Settings is the table of the configuration in force, of which list returns every key, secrets masked.
func Settings(list func() []Setting) []Table {
	return []Table{{Closed("settings", `name TEXT, value TEXT, description TEXT, category TEXT`),
		func(context.Context, Viewer) ([][]kalam.Value, error) {
			var rows [][]kalam.Value
			for _, st := range list() {
				rows = append(rows, []kalam.Value{
					kalam.Text(st.Name), kalam.Text(st.Value), kalam.Text(st.Description), kalam.Text(st.Category),
				})
			}
			return rows, nil
		}}}
}
