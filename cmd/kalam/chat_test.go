//go:build unix

package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const chatGPTExport = `[
 {"title": "Trip", "create_time": 1700000000.123456, "update_time": 1700000100.5, "current_node": "n4", "id": "c1",
  "default_model_slug": "gpt-4o",
  "mapping": {
   "root": {"id": "root", "message": null, "parent": null, "children": ["n1"]},
   "n1": {"id": "n1", "message": {"id": "n1", "author": {"role": "system"}, "content": {"content_type": "text", "parts": [""]}},
          "parent": "root", "children": ["n2"]},
   "n2": {"id": "n2", "message": {"id": "n2", "author": {"role": "user"}, "create_time": 1700000001,
          "content": {"content_type": "multimodal_text", "parts": [{"asset_pointer": "file-1"}, "Where to?", "It's 🎉"]}},
          "parent": "n1", "children": ["n3", "n4"]},
   "n4": {"id": "n4", "message": {"id": "n4", "author": {"role": "assistant"}, "metadata": {"model_slug": "gpt-4o"},
          "content": {"content_type": "code", "text": "print(1)"}}, "parent": "n2", "children": []},
   "n3": {"id": "n3", "message": {"id": "n3", "author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["North"]}},
          "parent": "n2", "children": []}
  }},
 {"title": "no id"},
 {"title": null, "conversation_id": "c2", "mapping": {}}
]`

// zipped makes a zip file of files.
func zipped(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadChats(t *testing.T) {
	s := startServer(t)
	for _, c := range []struct {
		as, path, conversations, messages string
		rejected                          bool
	}{
		{
			as: "chatgpt", path: written(t, "conversations.json", chatGPTExport), rejected: true,
			conversations: "c1,chatgpt,Trip,2023-11-14T22:13:20.123456Z,2023-11-14T22:15:00.5Z," +
				"\"{\"\"current_node\"\":\"\"n4\"\",\"\"model\"\":\"\"gpt-4o\"\"}\"\nc2,chatgpt,,,,{}\n",
			messages: "n1,c1,,1,system,,\"\",,\n" +
				"n2,c1,n1,2,user,,\"Where to?\n\nIt's 🎉\",,2023-11-14T22:13:21Z\n" +
				"n3,c1,n2,3,assistant,,North,,\n" +
				"n4,c1,n2,4,assistant,,print(1),gpt-4o,\n",
		},
		{
			as: "slack", path: zipped(t, map[string]string{
				"users.json":    `[{"id": "U1", "name": "ann", "real_name": "Ann A."}]`,
				"channels.json": `[{"id": "C1", "name": "general", "created": 1700000000, "members": ["U1"]}]`,
				"dms.json":      `[{"id": "D1", "created": 1700000000}]`,
				"general/2023-11-15.json": `[{"type": "message", "user": "U1", "text": "second", "ts": "1700010000.000200",
					"thread_ts": "1700000000.000100"}]`,
				"general/2023-11-14.json": `[{"type": "message", "user": "U1", "text": "first", "ts": "1700000000.000100",
					"thread_ts": "1700000000.000100"}]`,
				"D1/2023-11-14.json": `[{"type": "message", "bot_id": "B1", "username": "robot", "text": "beep", "ts": "1700000000.000300"}]`,
			}),
			conversations: "C1,slack,general,2023-11-14T22:13:20Z,2023-11-15T01:00:00.0002Z,\"{\"\"members\"\":[\"\"U1\"\"]}\"\n" +
				"D1,slack,,2023-11-14T22:13:20Z,2023-11-14T22:13:20.0003Z,{}\n",
			messages: "C1-1700000000.000100,C1,,1,user,Ann A.,first,,2023-11-14T22:13:20.0001Z\n" +
				"C1-1700010000.000200,C1,C1-1700000000.000100,2,user,Ann A.,second,,2023-11-15T01:00:00.0002Z\n" +
				"D1-1700000000.000300,D1,,1,bot,robot,beep,,2023-11-14T22:13:20.0003Z\n",
		},
		{
			as: "discord", path: zipped(t, map[string]string{
				"messages/index.json":       `{"99": "general in home", "98": null}`,
				"messages/c99/channel.json": `{"id": "99", "type": 0}`,
				"messages/c99/messages.json": `[{"ID": 1002, "Timestamp": "2023-11-14 22:13:21", "Contents": "later", "Attachments": ""},
					{"ID": 1001, "Timestamp": "2023-11-14 22:13:20", "Contents": "sooner", "Attachments": "https://x/y.png"}]`,
			}),
			conversations: "99,discord,general in home,2023-11-14T22:13:20Z,2023-11-14T22:13:21Z,\"{\"\"type\"\":0}\"\n",
			messages: "1001,99,,1,user,,sooner,,2023-11-14T22:13:20Z\n" +
				"1002,99,,2,user,,later,,2023-11-14T22:13:21Z\n",
		},
		{
			as: "discord", path: written(t, "general.json", `{"guild": {"id": "1"}, "channel": {"id": "97", "name": "talk"}, "messages": [
				{"id": "5", "timestamp": "2023-11-14T22:13:20.5+00:00", "content": "hi", "author": {"id": "7", "name": "bo", "isBot": true},
				"reference": {"messageId": "4"}}]}`),
			conversations: "97,discord,talk,2023-11-14T22:13:20.5Z,2023-11-14T22:13:20.5Z,\"{\"\"guild\"\":{\"\"id\"\":\"\"1\"\"}}\"\n",
			messages:      "5,97,4,1,bot,bo,hi,,2023-11-14T22:13:20.5Z\n",
		},
	} {
		t.Run(c.as, func(t *testing.T) {
			s.sql("DROP NAMESPACE IF EXISTS talk CASCADE;\nCREATE NAMESPACE talk;")
			said := s.load("load", "--as", c.as, c.path, "talk")
			if strings.Contains(said, "1 rejected") != c.rejected {
				t.Errorf("it says\n%s", said)
			}
			_, got, _ := strings.Cut(s.sql("SELECT id, source, title, created_at, updated_at, meta FROM talk.conversations ORDER BY id;"), "\n")
			if got != c.conversations {
				t.Errorf("conversations\n%s\nwant\n%s", got, c.conversations)
			}
			_, got, _ = strings.Cut(s.sql("SELECT id, conversation_id, parent_id, position, role, author, content, model, created_at"+
				" FROM talk.messages ORDER BY conversation_id, position;"), "\n")
			if got != c.messages {
				t.Errorf("messages\n%s\nwant\n%s", got, c.messages)
			}
			// A newer export of the same chats adds what is new.
			if said := s.load("load", "--as", c.as, c.path, "talk", "--on-conflict", "skip"); !strings.Contains(said, "skipped whose keys were there") {
				t.Errorf("it says\n%s", said)
			}
		})
	}
	for _, path := range []string{written(t, "x.zip", "no zip"), zipped(t, map[string]string{"a": "b"}), t.TempDir()} {
		if code, _, said := s.kalam(s.url, "load", "--as", "slack", path, "talk"); code != 1 || !strings.Contains(said, "ERROR: ") {
			t.Errorf("exit %d\n%s", code, said)
		}
	}
}
