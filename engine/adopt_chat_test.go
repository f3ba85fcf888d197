package engine_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/maintain/adopt"
)

// message is a line of the chat data.
type message struct {
	User    string `json:"user_id"`
	Talk    string `json:"conversation_id"`
	ID      int64  `json:"id"`
	Role    string `json:"role"`
	Content string `json:"content"`
	Created string `json:"created_at"`
}

// chat reads the messages by user: all of them where the data is, else the sample of the
// repository.
func chat(t *testing.T) (users map[string][]message, total int) {
	t.Helper()
	f, err := os.Open("../../shared/data/chat.ndjson.gz")
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("the whole data is absent: the sample of 2,200 messages is used")
		f, err = os.Open("../testdata/chat-sample.ndjson.gz")
	}
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	users = map[string][]message{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var m message
		must(t, json.Unmarshal(lines.Bytes(), &m))
		users[m.User] = append(users[m.User], m)
		total++
	}
	must(t, lines.Err())
	return users, total
}

// insertMessages inserts messages of a user, many in a statement.
func (s *server) insertMessages(user string, list []message) {
	s.t.Helper()
	for len(list) > 0 {
		n := min(len(list), 500)
		var b strings.Builder
		b.WriteString("INSERT INTO chat.messages VALUES ")
		params := make([]kalam.Value, 0, 5*n)
		for i, m := range list[:n] {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, $%d)", 5*i+1, 5*i+2, 5*i+3, 5*i+4, 5*i+5)
			params = append(params, kalam.BigInt(m.ID), kalam.Text(m.Talk), kalam.Text(m.Role), kalam.Text(m.Content),
				kalam.Text(m.Created))
		}
		s.must(userOf(user), b.String(), params...)
		list = list[n:]
	}
}

// digests returns a checksum of all of each user's rows.
func (s *server) digests(users map[string][]message) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for u := range users {
		r := s.must(userOf(u), "SELECT *, _seq FROM chat.messages ORDER BY id")
		out[u] = fmt.Sprintf("%d %x", len(r.rows), sha256.Sum256([]byte(r.table())))
	}
	return out
}

// TestAdoptChat loads every message of every user, flushes them in two parts, updates,
// deletes and compacts some, loses the write buffer and adopts the lake (case D1): every
// user has the rows of before, byte for byte.
func TestAdoptChat(t *testing.T) {
	users, total := chat(t)
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE chat")
	s.must(root, `CREATE USER TABLE chat.messages (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL,
		content TEXT, created_at TIMESTAMP) WITH (FLUSH_POLICY = 'manual')`)
	for u, list := range users {
		s.insertMessages(u, list[:len(list)/2])
	}
	s.flush()
	for u, list := range users {
		s.must(userOf(u), "UPDATE chat.messages SET content = 'edited: ' || content WHERE id % 10 = 2")
		s.must(userOf(u), "DELETE FROM chat.messages WHERE id % 10 = 6")
		s.insertMessages(u, list[len(list)/2:])
	}
	s.flush()
	s.compactAll()
	for u := range users {
		s.must(userOf(u), "UPDATE chat.messages SET role = 'late' WHERE id % 100 = 12")
		s.must(userOf(u), "DELETE FROM chat.messages WHERE id % 100 = 18")
	}
	s.flush()
	want := s.digests(users)
	s.stop()
	report := adoptAnew(t, s.config, adopt.Options{})
	if !report.Complete() || len(report.Users) != len(users) || len(report.Damaged)+len(report.Unneeded) > 0 {
		t.Errorf("the report:\n%s", textOf(t, report))
	}
	s.start()
	got := s.digests(users)
	for u := range users {
		if want[u] != got[u] {
			t.Errorf("user %s had %s and has %s", u, want[u], got[u])
		}
	}
	t.Logf("%d users, %d messages, %d rows in %d segments adopted", len(users), total, report.Tables[0].Rows,
		report.Tables[0].Segments)
}
