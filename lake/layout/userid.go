package layout

import (
	"strings"

	"github.com/kalamlake/kalam"
)

const hexDigits = "0123456789abcdef"

// EncodeUserID returns user as one element of a path. The bytes a-z, 0-9 and
// '-' stand for themselves, '_' becomes "__" and every other byte "_xx" in
// hexadecimal; an id that is a device name of Windows gets its first byte
// encoded. So different ids have different names also where the file system
// folds case, and no name is ".", ".." or longer than three bytes per byte of
// user. The empty id, which no user has, is "_".
func EncodeUserID(user kalam.UserID) string {
	if user == "" {
		return "_"
	}
	var b strings.Builder
	b.Grow(len(user) + 8)
	for i := 0; i < len(user); i++ {
		c := user[i]
		switch {
		case i == 0 && isDeviceName(string(user)):
			writeEscaped(&b, c)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			b.WriteByte(c)
		case c == '_':
			b.WriteString("__")
		default:
			writeEscaped(&b, c)
		}
	}
	return b.String()
}

func writeEscaped(b *strings.Builder, c byte) {
	b.WriteByte('_')
	b.WriteByte(hexDigits[c>>4])
	b.WriteByte(hexDigits[c&15])
}

// DecodeUserID returns the user id whose encoding is name. Every name that
// EncodeUserID does not produce for a valid user id is refused with
// CodeInvalidInput.
func DecodeUserID(name string) (kalam.UserID, error) {
	raw := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] != '_' {
			raw = append(raw, name[i])
			continue
		}
		rest := name[i+1:]
		switch {
		case strings.HasPrefix(rest, "_"):
			raw = append(raw, '_')
			i++
		case len(rest) >= 2 && strings.IndexByte(hexDigits, rest[0]) >= 0 && strings.IndexByte(hexDigits, rest[1]) >= 0:
			raw = append(raw, byte(strings.IndexByte(hexDigits, rest[0])<<4|strings.IndexByte(hexDigits, rest[1])))
			i += 2
		default:
			return "", kalam.Errorf(kalam.CodeInvalidInput, "%q is not an encoded user id", name)
		}
	}
	user, err := kalam.ParseUserID(string(raw))
	if err != nil {
		return "", err
	}
	if EncodeUserID(user) != name {
		return "", kalam.Errorf(kalam.CodeInvalidInput, "%q is not an encoded user id", name)
	}
	return user, nil
}

// encodeIdentifier returns a namespace or table name as one element of a path:
// itself, unless it is a device name of Windows. Identifiers do not begin with
// '_', so the escaped form collides with none.
func encodeIdentifier(s string) string {
	if !isDeviceName(s) {
		return s
	}
	var b strings.Builder
	writeEscaped(&b, s[0])
	b.WriteString(s[1:])
	return b.String()
}

// opensDevice reports whether Windows opens a device by the path element s: case
// and what follows the first '.' do not matter to it.
func opensDevice(s string) bool {
	stem, _, _ := strings.Cut(s, ".")
	return len(stem) <= 4 && isDeviceName(strings.ToLower(stem))
}

// isDeviceName reports whether Windows gives the lower-case name s to a device
// in every directory.
func isDeviceName(s string) bool {
	switch s {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(s) == 4 && (s[:3] == "com" || s[:3] == "lpt") && s[3] >= '0' && s[3] <= '9'
}
