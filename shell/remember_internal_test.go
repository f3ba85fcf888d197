package shell

import "testing"

// TestMemorable checks what the history leaves out.
func TestMemorable(t *testing.T) {
	for _, s := range []string{
		"CREATE USER u WITH PASSWORD 'x';", "SELECT api_key FROM t;", "x BEARER y;", "SELECT 'Token';",
		"ALTER USER u SET IDENTIFIED BY 'x';", `\q`, `\quit;`, "exit", "QUIT;", `\history`, `\history clear`,
	} {
		if memorable(s) {
			t.Errorf("%q is kept", s)
		}
	}
	for _, s := range []string{"SELECT 1;", "SELECT 'a\nb';", "\\dt", `\! ls`} {
		if !memorable(s) {
			t.Errorf("%q is not kept", s)
		}
	}
}
