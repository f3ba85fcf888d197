package maintain

import (
	"slices"
	"strings"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// maxFailing bounds how many users are remembered of a table whose flush fails.
const maxFailing = 1000

// failing are the users whose last flush failed, by table: why the server is
// degraded.
type failing struct {
	mu     sync.Mutex // guards tables
	tables map[kalam.TableNumber]map[kalam.UserID]struct{}
}

// add notes that the flush of a user fails.
func (f *failing) add(n kalam.TableNumber, user kalam.UserID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tables == nil {
		f.tables = make(map[kalam.TableNumber]map[kalam.UserID]struct{})
	}
	users := f.tables[n]
	if users == nil {
		users = make(map[kalam.UserID]struct{})
		f.tables[n] = users
	}
	if len(users) < maxFailing {
		users[user] = struct{}{}
	}
}

// clear notes that the flush of a user went well.
func (f *failing) clear(n kalam.TableNumber, user kalam.UserID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tables[n], user)
	if len(f.tables[n]) == 0 {
		delete(f.tables, n)
	}
}

// retain forgets the users of a table who have nothing left to flush. dirty is in the
// order of the users.
func (f *failing) retain(n kalam.TableNumber, dirty []buffer.ScopeStats) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for user := range f.tables[n] {
		_, found := slices.BinarySearchFunc(dirty, user, func(st buffer.ScopeStats, user kalam.UserID) int {
			return strings.Compare(string(st.Scope.User), string(user))
		})
		if !found {
			delete(f.tables[n], user)
		}
	}
	if len(f.tables[n]) == 0 {
		delete(f.tables, n)
	}
}

// list returns the tables with a failing flush, in the order of their numbers.
func (f *failing) list() []kalam.TableNumber {
	f.mu.Lock()
	defer f.mu.Unlock()
	var tables []kalam.TableNumber
	for n := range f.tables {
		tables = append(tables, n)
	}
	slices.Sort(tables)
	return tables
}
