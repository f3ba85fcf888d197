package format

import "testing"

func TestBytesText(t *testing.T) {
	for digits, want := range map[string]string{
		`\x6869`: "hi", `\xc3a4 `: `\xc3a4 `, `\xc3a4`: "ä", `\x00ff`: `\x00ff`, `\xff`: `\xff`, `\x`: `\x`, `\x0a`: `\x0a`,
		`\x5c783030`: `\x5c783030`, `\x1b5b33316d`: `\x1b5b33316d`, `\xe280ae61`: `\xe280ae61`,
	} {
		if got := bytesText(digits); got != want {
			t.Errorf("%s: %q, want %q", digits, got, want)
		}
	}
}
