package shell_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/shell"
)

// watcher is a typist who types while a live query is shown.
type watcher struct {
	typist
	keys chan []byte
}

func (w *watcher) Typed() <-chan []byte { return w.keys }

// TestPause holds changes back and shows them later, in order.
func TestPause(t *testing.T) {
	for _, keys := range [][]string{{"p"}, {`\pause`, "\r"}} {
		f := newFake(t)
		f.live = liveFrames[1:2]
		w := &watcher{keys: make(chan []byte, 8)}
		w.lines = []string{`\subscribe SELECT * FROM app.t`, "SELECT 1;", `\pause`, `\continue`, "SELECT 2;"}
		interrupts := make(chan struct{})
		shown := 0
		out := writerFunc(func(b []byte) {
			switch text := string(b); {
			case strings.Contains(text, "INSERT"):
				if shown++; shown > 1 {
					go func() { interrupts <- struct{}{} }()
					return
				}
				for _, k := range keys {
					w.keys <- []byte(k)
				}
			case strings.Contains(text, "(1 row)") && shown == 1: // While it is paused another change comes.
				f.sendLive(liveFrames[1])
			}
		})
		var errOut bytes.Buffer
		if code := shell.Interact(within(t), base(f), w, interrupts, 0, out, &errOut); code != 0 {
			t.Fatalf("exit %d: %s", code, errOut.String())
		}
		said := errOut.String()
		paused, again := strings.Index(said, "Live query paused;"), strings.Index(said, "The live query is paused;")
		if paused < 0 || again < paused || !strings.HasSuffix(said, "Unsubscribed\n") || shown != 2 || len(f.sent()) != 3 {
			t.Errorf("%q: shown %d, sent %q, said\n%s", keys, shown, f.sent(), said)
		}
	}
}

// TestPausedEnds: a paused live query ends with the shell, or with another one.
func TestPausedEnds(t *testing.T) {
	f := newFake(t)
	f.live = liveFrames[1:2]
	w := &watcher{keys: make(chan []byte, 8)}
	w.lines = []string{"SUBSCRIBE TO app.t;", "SUBSCRIBE TO app.t;"}
	out := writerFunc(func(b []byte) {
		if strings.Contains(string(b), "INSERT") {
			w.keys <- []byte("p")
		}
	})
	var errOut bytes.Buffer
	if code := shell.Interact(context.Background(), base(f), w, nil, 0, out, &errOut); code != 0 ||
		strings.Count(errOut.String(), "The paused live query was ended.") != 2 {
		t.Errorf("exit %d: %s", code, errOut.String())
	}
}
