package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam/query"
)

func TestAsof(t *testing.T) {
	mode := os.Getenv("MODE") // letters: c cancel, s sliced, b buffer only, f file only, m mixed queries
	has := func(s string) bool { return strings.Contains(mode, s) }
	queries := []string{"SELECT t.id FROM t ASOF JOIN t u ON t.created_at >= u.created_at ORDER BY t.id LIMIT 100"}
	if has("m") {
		queries = stressQueries
	}
	e := newEngine(t)
	var srcs []query.Source
	for i, n := range []int{100, 2048, 5000, 7000} {
		f := []int{0, 1000, 0, 3000}[i]
		if has("f") {
			f = n
		}
		if has("b") {
			f = 0
		}
		srcs = append(srcs, e.chatSource(t, fmt.Sprint("asof", i), n, f))
	}
	if has("1") {
		srcs = srcs[2:3]
	}
	var mu sync.Mutex
	fails, ok := 0, 0
	var wg sync.WaitGroup
	deadline := time.Now().Add(4 * time.Second)
	for range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for time.Now().Before(deadline) {
				ctx, cancel := context.WithCancel(context.Background())
				if has("c") && rand.IntN(2) == 0 {
					ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rand.IntN(4000))*time.Microsecond)
				}
				i := rand.IntN(len(srcs))
				src := srcs[i]
				if has("s") && rand.IntN(3) == 0 {
					src.Batches = sliced(src.Batches)
				}
				q := queries[rand.IntN(len(queries))]
				_, err := e.text(ctx, q, testArgs(), map[string]query.Source{"t": src})
				releaseSliced(src.Batches, srcs[i].Batches)
				mu.Lock()
				if err != nil && ctx.Err() == nil {
					fails++
					if strings.Contains(err.Error(), "INTERNAL") {
						t.Logf("src %d %s: %.150v", i, q, err)
					}
				} else if err == nil {
					ok++
				}
				mu.Unlock()
				cancel()
			}
		}()
	}
	wg.Wait()
	t.Logf("%s fails=%d ok=%d", mode, fails, ok)
}
