package buffer

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// ErrUserBarred is in the chain of the errors of who reads or writes a scope of a barred user.
var ErrUserBarred = errors.New("the user's data is being removed")

func userBarred(user kalam.UserID) error {
	return kalam.Wrap(kalam.CodeConflict, ErrUserBarred, "user '%s'", user)
}

// BarUser ends the use of all scopes of a user, for their removal: from its call on they take no
// writes and give no new views (ErrUserBarred), and what they have buffered counts no more; read
// points that are open keep their views, see InUse. What was begun before is committed or refused
// when it returns. It may be repeated, and holds until AdmitUser or Close.
func (s *Store) BarUser(ctx context.Context, user kalam.UserID) error {
	if user == "" {
		return kalam.Errorf(kalam.CodeInternal, "the scopes of shared tables cannot be barred")
	}
	s.mu.Lock()
	if s.barred == nil {
		s.barred = map[kalam.UserID][]*scope{}
	}
	inUse := s.barred[user]
	for id, sc := range s.scopes {
		if id.User == user {
			inUse = append(inUse, sc)
			sc.barred.Store(true)
			s.discardLocked(sc)
		}
	}
	s.barred[user] = inUse
	s.mu.Unlock()
	// What is in the queue already is committed or refused before this returns.
	if err := s.submit(ctx, &request{work: barrier{}, alone: true}); err != nil {
		return err
	}
	s.backlog.DropUser(user)
	return nil
}

// IsBarred reports whether a user is barred.
func (s *Store) IsBarred(user kalam.UserID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, barred := s.barred[user]
	return barred
}

// InUse returns how many scopes of a barred user a reader or writer that was there before still
// has: while there are some, files of theirs may be read.
func (s *Store) InUse(user kalam.UserID) (scopes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sc := range s.barred[user] {
		if sc.pins > 0 {
			scopes++
		}
	}
	return scopes
}

// AdmitUser ends BarUser.
func (s *Store) AdmitUser(user kalam.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.barred, user)
}

// RemoveScope deletes the blocks, the record and the counters of a scope of a barred user and
// returns how many keys it was. It may be repeated after it was interrupted; the record goes
// last but for the counters, so that what names the files of the scope is there until then.
func (s *Store) RemoveScope(ctx context.Context, id kalam.Scope) (keys int, err error) {
	if !s.IsBarred(id.User) {
		return 0, kalam.Errorf(kalam.CodeInternal, "the scope of table %d, user '%s' is in use", id.Table, id.User)
	}
	start := rowlog.ScopePrefix(id)
	for _, keyspace := range rowlog.ScopeKeyspaces() {
		n, err := s.deleteRange(ctx, keyspace, start, rowlog.PrefixEnd(start))
		if keys += n; err != nil {
			return keys, err
		}
	}
	s.counts.drop(func(k CounterID) bool { return k.Scope == id })
	return keys, nil
}
