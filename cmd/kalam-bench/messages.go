package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// message is one line of the data.
type message struct {
	User         string `json:"user_id"`
	Conversation string `json:"conversation_id"`
	ID           int64  `json:"id"`
	Role         string `json:"role"`
	Content      string `json:"content"`
	CreatedAt    string `json:"created_at"`
}

// userMessages are the messages of one user in file order.
type userMessages struct {
	user     string
	messages []message
}

// readMessages reads the file, gzipped or not, and groups it by user in the
// order in which users first appear.
func readMessages(path string) ([]userMessages, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	var users []userMessages
	index := map[string]int{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("read %s line %d: %w", path, n, err)
		}
		i, ok := index[m.User]
		if !ok {
			i = len(users)
			index[m.User] = i
			users = append(users, userMessages{user: m.User})
		}
		users[i].messages = append(users[i].messages, m)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return users, nil
}
