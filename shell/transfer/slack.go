package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// slackChannel is an element of channels.json, groups.json, dms.json or mpims.json.
type slackChannel struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Created int64           `json:"created"`
	Members json.RawMessage `json:"members"`
	Topic   json.RawMessage `json:"topic"`
	Purpose json.RawMessage `json:"purpose"`
}

// slackUser is an element of users.json.
type slackUser struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	RealName string `json:"real_name"`
}

// slackMessage is an element of a file of a day.
type slackMessage struct {
	TS        string          `json:"ts"`
	Thread    string          `json:"thread_ts"`
	User      string          `json:"user"`
	Username  string          `json:"username"`
	Bot       string          `json:"bot_id"`
	Text      string          `json:"text"`
	Subtype   json.RawMessage `json:"subtype"`
	Files     json.RawMessage `json:"files"`
	Reactions json.RawMessage `json:"reactions"`
	Edited    json.RawMessage `json:"edited"`
}

// openSlack reads an export of a workspace: lists of channels, and for each a directory with
// a file for each day.
func openSlack(t *tree) (chatExport, error) {
	if t.files == nil {
		return nil, errors.New("it is a zip file or a directory")
	}
	names := map[string]string{}
	var users []slackUser
	if err := t.decode("users.json", &users); err != nil {
		return nil, err
	}
	for _, u := range users {
		if names[u.ID] = u.RealName; u.RealName == "" {
			names[u.ID] = u.Name
		}
	}
	out := &conversations{}
	for _, file := range []string{"channels.json", "groups.json", "dms.json", "mpims.json"} {
		var channels []slackChannel
		err := t.decode(file, &channels)
		switch {
		case errors.Is(err, fs.ErrNotExist) && file != "channels.json":
			continue
		case err != nil:
			return nil, err
		}
		for _, c := range channels {
			out.load = append(out.load, func() (*conversation, error) { return c.conversation(t, names) })
		}
	}
	return out, nil
}

// conversation reads the messages of a channel. Direct messages lie below its id.
func (c *slackChannel) conversation(t *tree, names map[string]string) (*conversation, error) {
	out := &conversation{id: c.ID, title: c.Name,
		meta: metaText(map[string]json.RawMessage{"members": c.Members, "topic": c.Topic, "purpose": c.Purpose})}
	if c.Created > 0 {
		out.created = time.Unix(c.Created, 0).UTC().Format(time.RFC3339)
	}
	dir := c.Name
	if dir == "" {
		dir = c.ID
	}
	if c.ID == "" || !fs.ValidPath(dir) {
		return nil, fmt.Errorf("a channel with the id %q and the name %q", c.ID, c.Name)
	}
	days, err := fs.Glob(t.files, escapeGlob(dir)+"/*.json")
	if err != nil {
		return nil, err
	}
	slices.Sort(days)
	for _, day := range days {
		var messages []slackMessage
		if err := t.decode(day, &messages); err != nil {
			return nil, err
		}
		for _, m := range messages {
			out.messages = append(out.messages, m.message(c.ID, names))
		}
	}
	if n := len(out.messages); n > 0 {
		out.updated = out.messages[n-1].created
	}
	return out, nil
}

// escapeGlob is a name in which no character stands for others.
func escapeGlob(name string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(name)
}

// message is the row of a message. A channel has no two with the same ts.
func (m *slackMessage) message(channel string, names map[string]string) message {
	out := message{id: channel + "-" + m.TS, content: m.Text, role: "user", author: names[m.User],
		created: slackTime(m.TS)}
	if m.Thread != "" && m.Thread != m.TS {
		out.parent = channel + "-" + m.Thread
	}
	if m.Bot != "" {
		out.role = "bot"
	}
	for _, name := range []string{m.Username, m.User, m.Bot} {
		if out.author == "" {
			out.author = name
		}
	}
	out.meta = metaText(map[string]json.RawMessage{"user": jsonString(m.User), "subtype": m.Subtype, "files": m.Files,
		"reactions": m.Reactions, "edited": m.Edited})
	return out
}

// slackTime is a ts such as 1700000000.123456 as ISO 8601, "" for none.
func slackTime(ts string) string {
	whole, part, _ := strings.Cut(ts, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return ""
	}
	micros, err := strconv.ParseInt((part + "000000")[:6], 10, 64)
	if err != nil {
		return ""
	}
	return time.Unix(seconds, micros*1000).UTC().Format("2006-01-02T15:04:05.999999Z")
}
