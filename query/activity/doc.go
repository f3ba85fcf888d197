// Package activity knows the queries under way: whose they are, what they wait for or do, since
// when, where, and with how much memory. It can end one.
//
// # Basics
//
// Begin registers a query and gives a context for it; whoever runs the query finds it again
// by Of and notes what becomes of it; End takes it out. Registry.List is what system.sessions
// shows, Registry.Kill what KILL QUERY does.
package activity
