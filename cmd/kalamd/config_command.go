package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/config"
)

// configCommand returns `kalamd config`: it prints and checks configurations, and opens nothing.
func configCommand() *cobra.Command {
	parent := &cobra.Command{Use: "config", Short: "Print or check the configuration", Args: cobra.NoArgs}
	var printed, checked flags
	defaults := false
	show := &cobra.Command{
		Use: "print", Args: cobra.NoArgs,
		Short: "Print the configuration in force as a file with every key and what it means",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := config.Default()
			if !defaults {
				s, err := load(printed, os.Environ())
				if err != nil {
					return err
				}
				c = s.Config
			}
			return printConfig(cmd.OutOrStdout(), &c)
		},
	}
	configFlags(show, &printed)
	show.Flags().BoolVar(&defaults, "defaults", false, "print the defaults instead, whatever is configured")
	check := &cobra.Command{
		Use: "check", Args: cobra.NoArgs,
		Short: "Look at every key of the configuration, the environment and the flags; the exit code is 0 if all is right",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(checked, os.Environ())
			if err != nil {
				return err
			}
			return printChecked(cmd.OutOrStdout(), &s)
		},
	}
	configFlags(check, &checked)
	parent.AddCommand(show, check)
	return parent
}

// printChecked says what a configuration that is right has.
func printChecked(out io.Writer, s *Settings) error {
	file := s.File
	if file == "" {
		file = "no file"
	}
	text := fmt.Sprintf("%s: no mistakes; %d keys differ from their defaults\n", file, len(s.Changed))
	for _, line := range s.Changed {
		text += "  " + line + "\n"
	}
	for _, key := range s.Config.WithoutEffect() {
		text += "note: " + key + " has no effect in this version\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// commentWidth is where comments of a printed configuration are broken.
const commentWidth = 100

// printConfig writes a configuration as TOML that load takes: every key, under what it means. Secrets are left out.
func printConfig(out io.Writer, c *config.Config) error {
	var b strings.Builder
	b.WriteString("# Configuration of kalamd. Each key can also be set in the environment, as KALAM_SECTION_KEY.\n")
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		section := root.Field(i)
		fmt.Fprintf(&b, "\n[%s]\n", root.Type().Field(i).Tag.Get("koanf"))
		for j := range section.NumField() {
			f := section.Type().Field(j)
			for _, line := range broken(f.Tag.Get("doc"), commentWidth) {
				fmt.Fprintf(&b, "# %s\n", line)
			}
			line, err := keyLine(f, section.Field(j))
			if err != nil {
				return err
			}
			b.WriteString(line)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// keyLine returns "key = value", or for a secret that is set a comment without it.
func keyLine(f reflect.StructField, v reflect.Value) (string, error) {
	key := f.Tag.Get("koanf")
	if f.Tag.Get("secret") != "" && !v.IsZero() {
		return "# " + key + " = \"[redacted]\"\n", nil
	}
	value := v.Interface()
	if v.Kind() == reflect.Slice && v.IsNil() {
		value = []string{}
	}
	line, err := toml.Parser().Marshal(map[string]any{key: value})
	if err != nil {
		return "", fmt.Errorf("print key %s: %w", key, err)
	}
	return string(line), nil
}

// broken returns the words of a text in lines of at most so many bytes.
func broken(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
