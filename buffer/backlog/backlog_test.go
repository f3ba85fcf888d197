package backlog_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/backlog"
)

// statsModel is what the stats must know, kept without any cleverness.
type statsModel struct {
	scopes  map[kalam.Scope]backlog.Stats
	marks   map[kalam.TableNumber]int64 // Of tables with rows; absent is none, 0 the first row.
	heavy   map[kalam.TableNumber]int64 // In bytes; absent is none.
	reached map[kalam.TableNumber]bool
}

// table sums the scopes of a table.
func (m *statsModel) table(n kalam.TableNumber) (sum backlog.Stats) {
	for sc, st := range m.scopes {
		if sc.Table != n {
			continue
		}
		sum.Rows += st.Rows
		sum.Bytes += st.Bytes
		if sum.Oldest == 0 || st.Oldest < sum.Oldest {
			sum.Oldest = st.Oldest
		}
	}
	return sum
}

// grew notes that a table reached its mark, if it has.
func (m *statsModel) grew(n kalam.TableNumber) {
	mark, marked := m.marks[n]
	heavy := m.heavy[n]
	if sum := m.table(n); sum.Rows > 0 && (marked && sum.Rows >= mark || heavy > 0 && sum.Bytes >= heavy) {
		delete(m.marks, n)
		delete(m.heavy, n)
		m.reached[n] = true
	}
}

// TestBacklog compares the counters of tables, which are kept while scopes come,
// grow, shrink and go, with sums over all scopes, and the marks with a model.
func TestBacklog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := backlog.New()
		m := statsModel{map[kalam.Scope]backlog.Stats{}, map[kalam.TableNumber]int64{}, map[kalam.TableNumber]int64{},
			map[kalam.TableNumber]bool{}}
		seq := kalam.Seq(0)
		table := rapid.Map(rapid.IntRange(1, 3), func(n int) kalam.TableNumber { return kalam.TableNumber(n) })
		user := rapid.Map(rapid.IntRange(0, 9), func(n int) kalam.UserID { return kalam.UserID(rune('a' + n)) })
		scope := func(t *rapid.T) kalam.Scope {
			return kalam.Scope{Table: table.Draw(t, "table"), User: user.Draw(t, "user")}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				sc, rows, bytes := scope(t), rapid.Int64Range(1, 5).Draw(t, "rows"),
					rapid.Int64Range(0, 50).Draw(t, "bytes")
				seq++
				s.Add(sc, rows, bytes, seq)
				if m.table(sc.Table).Rows == 0 {
					m.marks[sc.Table] = 0
					delete(m.heavy, sc.Table)
				}
				st, ok := m.scopes[sc]
				if !ok {
					st = backlog.Stats{Scope: sc, Oldest: seq}
				}
				st.Rows += rows
				st.Bytes += bytes
				m.scopes[sc] = st
				m.grew(sc.Table)
			},
			"flush": func(t *rapid.T) {
				sc := scope(t)
				st, ok := m.scopes[sc]
				if !ok {
					return
				}
				left := backlog.Stats{Scope: sc, Rows: rapid.Int64Range(0, st.Rows-1).Draw(t, "left")}
				if left.Rows > 0 {
					left.Bytes, left.Oldest = rapid.Int64Range(0, st.Bytes).Draw(t, "bytes"),
						kalam.Seq(rapid.Uint64Range(uint64(st.Oldest), uint64(seq)).Draw(t, "oldest"))
				}
				s.Set(left)
				delete(m.scopes, sc)
				if left.Rows > 0 {
					m.scopes[sc] = left
				}
			},
			"drop": func(t *rapid.T) {
				n := table.Draw(t, "table")
				s.DropTable(n)
				maps.DeleteFunc(m.scopes, func(sc kalam.Scope, _ backlog.Stats) bool { return sc.Table == n })
				delete(m.reached, n)
			},
			"mark": func(t *rapid.T) {
				n, rows := table.Draw(t, "table"), rapid.Int64Range(0, 60).Draw(t, "mark")
				bytes := rapid.Int64Range(0, 300).Draw(t, "heavy")
				s.Mark(n, rows, bytes)
				if delete(m.marks, n); rows > 0 && m.table(n).Rows > 0 {
					m.marks[n] = rows
				}
				if delete(m.heavy, n); bytes > 0 && m.table(n).Rows > 0 {
					m.heavy[n] = bytes
				}
				m.grew(n)
			},
			"take": func(t *rapid.T) {
				got := s.TakeGrown()
				slices.Sort(got)
				if diff := cmp.Diff(slices.Sorted(maps.Keys(m.reached)), got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("TakeGrown (-want +got):\n%s", diff)
				}
				clear(m.reached)
			},
			"": func(t *rapid.T) {
				bytes := map[kalam.TableNumber]int64{}
				for n := kalam.TableNumber(1); n <= 3; n++ {
					want := m.table(n)
					rows, size, oldest := s.Table(n)
					if got := (backlog.Stats{Rows: rows, Bytes: size, Oldest: oldest}); got != want {
						t.Errorf("Table(%d) = %+v, want %+v", n, got, want)
					}
					if rows > 0 {
						bytes[n] = size
					}
					for _, st := range s.Scopes(n) {
						if st != m.scopes[st.Scope] {
							t.Errorf("Scopes(%d) has %+v, want %+v", n, st, m.scopes[st.Scope])
						}
					}
				}
				if diff := cmp.Diff(bytes, s.Tables()); diff != "" {
					t.Errorf("Tables (-want +got):\n%s", diff)
				}
				if len(m.reached) > 0 && len(s.Grown()) == 0 {
					t.Error("a table reached its mark, and Grown has no token")
				}
				if len(m.reached) == 0 { // As a reader takes the token.
					select {
					case <-s.Grown():
					default:
					}
				}
			},
		})
	})
}

// BenchmarkBacklog is what the counters cost a commit: 100,000 users of one table
// write in turns, and nobody is at a mark.
func BenchmarkBacklog(b *testing.B) {
	t := backlog.New()
	const users = 100_000
	scopes := make([]kalam.Scope, users)
	for i := range scopes {
		scopes[i] = kalam.Scope{Table: 1, User: kalam.UserID(string(rune(i)))}
		t.Add(scopes[i], 1, 100, kalam.Seq(i+1))
	}
	s := t
	b.Run("add", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			t.Add(scopes[i%users], 1, 100, kalam.Seq(users+i))
		}
	})
	b.Run("room", func(b *testing.B) {
		for b.Loop() {
			t.Over(1 << 60)
		}
	})
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			s.Table(1)
		}
	})
}
