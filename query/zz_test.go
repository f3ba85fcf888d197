package query_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam/query"
)

func TestZZ(t *testing.T) {
	a, b, c := query.FunctionLists()
	t.Log(len(strings.Fields(a)), len(strings.Fields(b)), len(strings.Fields(c)))
	rss := func() string {
		b, _ := os.ReadFile("/proc/self/status")
		for _, l := range strings.Split(string(b), "\n") {
			if strings.HasPrefix(l, "RssAnon") {
				return l
			}
		}
		return ""
	}
	t.Log(rss())
	s := time.Now()
	e, _ := query.Open(query.Options{})
	t.Log(rss(), time.Since(s))
	e.Close()
}
