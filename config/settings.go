package config

import (
	"fmt"
	"reflect"

	"github.com/kalamlake/kalam/systables"
)

// Settings lists every key of c in the order of the sections. Secrets are
// masked, but an empty one is shown empty.
func (c *Config) Settings() []systables.Setting {
	var out []systables.Setting
	sections := reflect.ValueOf(*c)
	for i := range sections.NumField() {
		category := sections.Type().Field(i).Tag.Get("koanf")
		section := sections.Field(i)
		for j := range section.NumField() {
			f := section.Type().Field(j)
			value := fmt.Sprint(section.Field(j).Interface())
			if f.Tag.Get("secret") != "" && value != "" {
				value = systables.Masked
			}
			out = append(out, systables.Setting{
				Name: category + "." + f.Tag.Get("koanf"), Value: value, Description: f.Tag.Get("doc"),
				Category: category,
			})
		}
	}
	return out
}
