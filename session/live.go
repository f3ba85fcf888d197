package session

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/systables"
)

// killLive ends a live query: one's own, or any for admins. Others learn nothing
// of the live queries of another user, not even whether there is one.
func (s *Session) killLive(st *ast.KillLive) error {
	if err := access.Check(s.Principal, access.EndOwn); err != nil {
		return err
	}
	if !access.Has(s.Principal, access.KillLive) && !kalam.IsLiveIDOf(st.ID, s.Principal.User) {
		return kalam.Errorf(kalam.CodePermissionDenied, "live query '%s' is not one of user '%s'", st.ID,
			s.Principal.User).At(st.Pos)
	}
	if s.server.Hub.Kill(st.ID) {
		return s.message(0, "Live query killed: "+st.ID)
	}
	return kalam.Errorf(kalam.CodeNotFound, "Live query '%s' not found", st.ID).At(st.Pos)
}

// killQuery ends a query that is under way: one of the principal's own, or for admins any. One
// that is not theirs to end is answered for as if there were none.
func (s *Session) killQuery(st *ast.KillQuery) error {
	if err := access.Check(s.Principal, access.EndOwn); err != nil {
		return err
	}
	may := func(q activity.Info) bool {
		return q.User == s.Principal.User || access.Has(s.Principal, access.KillQueries)
	}
	if s.Activity.Kill(st.ID, may) {
		return s.message(0, "Query killed: "+st.ID)
	}
	return kalam.Errorf(kalam.CodeNotFound, "Query '%s' not found: it has ended, or it is not yours", st.ID).At(st.Pos)
}

// subscribeTo answers SUBSCRIBE TO over HTTP with where to subscribe; it
// registers nothing.
func (s *Session) subscribeTo(st *ast.SubscribeTo) error {
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	sub, err := live.Invitation(st, uint64(s.Store.Clock().Next()), s.params)
	if err != nil {
		return err
	}
	return s.listing(subscribeColumns, [][]kalam.Value{{
		kalam.Text("active"), kalam.Text(s.server.LiveURL), kalam.JSON(sub),
		kalam.Text("WebSocket subscription created. Connect to ws_url to receive updates."),
	}}, "")
}

var subscribeColumns = systables.Columns("status TEXT, ws_url TEXT, subscription JSON, message TEXT")
