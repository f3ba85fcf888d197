package config

import (
	"fmt"
	"reflect"

	"github.com/kalamlake/kalam/systables"
)

// Take takes over the values of next that a running server can change, and returns the keys of those that differed.
// restart are the other keys whose values differ: they wait for a restart.
func (c *Config) Take(next *Config) (taken, restart []string) {
	own, others := reflect.ValueOf(c).Elem(), reflect.ValueOf(next).Elem()
	for i := range own.NumField() {
		section := own.Type().Field(i).Tag.Get("koanf")
		for j := range own.Field(i).NumField() {
			f := own.Field(i).Type().Field(j)
			value, other := own.Field(i).Field(j), others.Field(i).Field(j)
			key := section + "." + f.Tag.Get("koanf")
			switch {
			case reflect.DeepEqual(value.Interface(), other.Interface()):
			case f.Tag.Get("reload") == "true":
				value.Set(other)
				taken = append(taken, key)
			default:
				restart = append(restart, key)
			}
		}
	}
	return taken, restart
}

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
			if f.Tag.Get("secret") != "" && !section.Field(j).IsZero() {
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
