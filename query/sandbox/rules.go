package sandbox

import (
	"fmt"
	"strings"
)

// variable is the name under which the constructor finds the rules.
const variable = "KALAM_SANDBOX"

// Rules are the files that stay open to the process. Paths are absolute; a folder
// stands for everything below it, and a path that does not exist for nothing.
type Rules struct {
	Read  []string
	Write []string // Read, written, made and removed.
}

// Env returns the element of a child's environment that makes it enter the sandbox.
// A path that is empty, relative or has a line break is an error.
func (r Rules) Env() (string, error) {
	var b strings.Builder
	b.WriteString(variable + "=")
	for _, list := range []struct {
		mark  byte
		paths []string
	}{{'r', r.Read}, {'w', r.Write}} {
		for _, p := range list.paths {
			if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\n\x00") {
				return "", fmt.Errorf("path %q cannot be a rule of a sandbox", p)
			}
			b.WriteByte(list.mark)
			b.WriteString(p)
			b.WriteByte('\n')
		}
	}
	return b.String(), nil
}

// State says what holds for a process.
type State struct {
	Entered  bool   // The process was started with rules.
	Landlock int    // Version of Landlock's interface in force, 0 for none.
	Seccomp  bool   // System calls are filtered.
	Missing  string // Why something is not in force; "" when all is.
}

// String returns one line for logs: "landlock 7, seccomp", "none (...)".
func (s State) String() string {
	var have []string
	if s.Landlock > 0 {
		have = append(have, fmt.Sprintf("landlock %d", s.Landlock))
	}
	if s.Seccomp {
		have = append(have, "seccomp")
	}
	if len(have) == 0 {
		have = append(have, "none")
	}
	line := strings.Join(have, ", ")
	if s.Missing != "" {
		line += " (" + s.Missing + ")"
	}
	return line
}
