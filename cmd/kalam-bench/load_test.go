package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
)

// loadServer keeps what it is sent by user.
type loadServer struct {
	mu  sync.Mutex // guards sql
	sql map[string][]string
}

func (s *loadServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, wire.PathLogin) {
		var q wire.LoginRequest
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Password != "pw" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"unauthorized","message":"Invalid credentials"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":"%s.x.y"}`, q.User)
		return
	}
	var q wire.SQLRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	user, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	s.mu.Lock()
	s.sql[user] = append(s.sql[user], q.SQL)
	s.mu.Unlock()
	fmt.Fprint(w, `{"status":"success","results":[{"row_count":1,"message":"Inserted","as_user":"x"}],"took":1}`)
}

// data writes messages of users, interleaved, and returns the file.
func data(t *testing.T, zip bool) string {
	t.Helper()
	var b bytes.Buffer
	for i := range 30 {
		content := strings.Repeat("it's; ", i%4)
		if i == 7 {
			content = strings.Repeat("x", 600<<10) // A statement of its own.
		}
		line, err := json.Marshal(message{User: fmt.Sprintf("u%d", i%3), Conversation: "c", ID: int64(i), Role: "user",
			Content: content, CreatedAt: "2026-01-02T03:04:05Z"})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	path := filepath.Join(t.TempDir(), "chat.ndjson")
	if zip {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(b.Bytes())
		w.Close()
		b, path = z, path+".gz"
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var idOf = regexp.MustCompile(`\((\d+),'c'`)

func TestLoad(t *testing.T) {
	for _, zip := range []bool{false, true} {
		s := &loadServer{sql: map[string][]string{}}
		server := httptest.NewServer(s)
		users, err := readMessages(data(t, zip))
		if err != nil {
			t.Fatal(err)
		}
		var out, progress bytes.Buffer
		o := loadOptions{url: server.URL, table: "chat.messages", password: "pw", batch: 4, workers: 2,
			progress: &progress, out: &out}
		if err := load(context.Background(), o, users); err != nil {
			t.Fatal(err)
		}
		server.Close()
		if !strings.HasPrefix(out.String(), "loaded 30 messages of 3 users in ") ||
			!strings.HasSuffix(out.String(), " rows/s\n") {
			t.Errorf("printed %q", out.String())
		}
		for u := range 3 {
			var ids []string
			for _, sql := range s.sql[fmt.Sprintf("u%d", u)] {
				if st, err := dialect.Parse(sql); err != nil || len(st.(*ast.Insert).Rows) > 4 {
					t.Errorf("%.100s: %v", sql, err)
				}
				for _, m := range idOf.FindAllStringSubmatch(sql, -1) {
					ids = append(ids, m[1])
				}
			}
			var want []string
			for i := u; i < 30; i += 3 {
				want = append(want, fmt.Sprint(i))
			}
			if strings.Join(ids, " ") != strings.Join(want, " ") {
				t.Errorf("u%d got %v, want %v", u, ids, want)
			}
		}
		if n := len(s.sql["u1"]); n != 4 { // 1 4, 7 alone, 10..19, 22..28
			t.Errorf("%d statements of u1, want 4", n)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	server := httptest.NewServer(&loadServer{sql: map[string][]string{}})
	defer server.Close()
	err := runLoad(t.Context(), []string{"--url", server.URL, "--data", data(t, false), "--users-password", "wrong"})
	if link.KindOf(err) != link.KindAuthentication || !strings.HasPrefix(err.Error(), "insert as u") {
		t.Errorf("wrong password: %v", err)
	}
	for _, args := range [][]string{{}, {"--data", "x", "--batch", "0"}, {"--data", "x", "--workers", "0"}, {"--frob"}} {
		if err := runLoad(t.Context(), args); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.ndjson")
	if err := os.WriteFile(bad, []byte("{}\nno\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runLoad(t.Context(), []string{"--data", bad}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("bad line: %v", err)
	}
	if err := runLoad(t.Context(), []string{"--data", bad + "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
