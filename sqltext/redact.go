package sqltext

import "strings"

const (
	// secretColumns hold secrets, whatever the statement does with them.
	secretColumns = " PASSWORD_HASH AUTH_DATA CREDENTIALS PASSWORD "
	// secretWords stand before a literal that must not be shown. The CONFIG of a storage may hold
	// keys.
	secretWords = secretColumns + "BY OAUTH SECRET CONFIG "
	// clausesOfUser follow OAUTH without a secret between.
	clausesOfUser = " ROLE EMAIL WITH SET "
)

// Redact returns sql, which may hold several statements, for logs. In CREATE and
// ALTER of a user or storage what follows a word like PASSWORD or CREDENTIALS,
// directly or after `=`, is replaced by '***', whether it is a string or was
// meant to be one. In any other statement that names a secret, and in text that
// does not lex, every string is; the text from the flaw on is cut.
func Redact(sql string) string {
	var b strings.Builder
	for start := 0; start < len(sql); {
		s := survey(sql, start)
		s.redact(&b, sql[:s.end], start)
		if s.broken {
			b.WriteString(" ...")
			break
		}
		start = s.end
	}
	return b.String()
}

// surveyed is what Redact knows of one statement.
type surveyed struct {
	end    int  // After its `;` or its last token that lexes.
	define bool // CREATE or ALTER of a user or storage.
	secret bool // It names a secret.
	broken bool
}

// survey reads the statement that begins at start.
func survey(sql string, start int) surveyed {
	s := surveyed{end: start}
	for l, n := LexerAt(sql, start), 0; ; n++ {
		t := l.Next()
		switch t.Kind {
		case EOF:
			s.end = len(sql)
			return s
		case Invalid:
			s.broken = true
			return s
		case Word:
			word := sql[t.Pos:t.End]
			switch n {
			case 0:
				s.define = WordIn(word, " CREATE ALTER ")
			case 1:
				s.define = s.define && WordIn(word, " USER STORAGE ")
			case 2:
				s.define = s.define && !IsWord(word, "TABLE")
			}
			s.secret = s.secret || WordIn(word, secretColumns)
		case Quoted, Backtick:
			s.secret = s.secret || WordIn(UnquoteIdent(sql[t.Pos:t.End]), secretColumns)
		}
		s.end = t.End
		if t.Kind == Punct && t.Ch == ';' {
			return s
		}
	}
}

// redact appends the statement that begins at start and ends with text.
func (s surveyed) redact(b *strings.Builder, text string, start int) {
	all := s.broken || s.secret && !s.define
	at, hide := start, false
	for l := LexerAt(text, start); ; {
		t := l.Next()
		switch t.Kind {
		case EOF, Invalid:
			b.WriteString(text[at:])
			return
		case Op: // PASSWORD = 'x'
			continue
		case String, Escape, Dollar:
			hide = hide || all
		case Word:
			if WordIn(text[t.Pos:t.End], secretWords) {
				hide = true
				continue
			}
			hide = hide && s.define && !WordIn(text[t.Pos:t.End], clausesOfUser)
		case Quoted, Backtick:
			if WordIn(UnquoteIdent(text[t.Pos:t.End]), secretWords) {
				hide = true
				continue
			}
			hide = hide && s.define
		case Punct:
			hide = false
		default:
			hide = hide && s.define
		}
		if hide {
			b.WriteString(text[at:t.Pos] + "'***'")
			at = t.End
			if t.Kind != String && t.Kind != Escape && t.Kind != Dollar {
				at += bareEnd(text[t.End:]) // A password without quotes.
				l.Pos = at
			}
		}
		hide = false
	}
}

// bareEnd returns the length of what s begins with up to a blank or `;`.
func bareEnd(s string) int {
	for i := 0; i < len(s); i++ {
		if classes[s[i]] == ClassSpace || s[i] == ';' {
			return i
		}
	}
	return len(s)
}

// secretParts are parts of words that stand beside secrets, however misspelled.
var secretParts = []string{"pas", "pwd", "psw", "secret", "cred", "token", "identif", "auth"}

// MayHoldSecret reports whether a text that failed, and may be malformed in any
// way, may hold a password or other secret: it must not be shown again, not even
// to who sent it, since answers end up in logs and on screens. It looks at
// letters, not at tokens, which a misspelled statement need not have.
func MayHoldSecret(sql string) bool {
	text := strings.ToLower(sql)
	for _, part := range secretParts {
		if strings.Contains(text, part) {
			return true
		}
	}
	words := strings.Fields(text)
	for i := range max(len(words)-1, 0) {
		if words[i+1] == "storage" && (words[i] == "create" || words[i] == "alter") {
			return true // Keys may stand in the options of a storage and in its URI.
		}
	}
	for i, w := range words[:min(len(words), 4)] {
		if strings.HasPrefix(w, "user") && (i+1 == len(words) || words[i+1] != "table") {
			return true
		}
	}
	return false
}
