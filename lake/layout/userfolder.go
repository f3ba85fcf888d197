package layout

import (
	"strings"

	"github.com/kalamlake/kalam"
)

// UserFolder returns the folder that holds all that the templates give to a user, and nothing of
// another one; false when the user's folders lie apart, below those of tables. Folders of SHARED
// tables may lie below it: PlaceOf tells.
func (p Templates) UserFolder(user kalam.UserID) (string, bool) {
	for i, e := range p.users {
		for _, part := range e {
			switch part.name {
			case noVariable, varUserID, varStorageLocation:
			default:
				return "", false
			}
		}
		if e.has(varUserID) {
			return p.users[:i+1].render(&values{varUserID: EncodeUserID(user)}), true
		}
	}
	return "", false
}

// UserPlaces tells which paths belong to a user.
type UserPlaces struct {
	templates Templates
	user      kalam.UserID
	root      string          // UserFolder, "" without one.
	folders   map[string]bool // Those of tables.
}

// PlacesOf returns the paths of a user by the templates; folders are those of the user's rows of
// the tables that are known.
func (p Templates) PlacesOf(user kalam.UserID, folders ...string) *UserPlaces {
	u := &UserPlaces{templates: p, user: user, folders: map[string]bool{}}
	for _, f := range folders {
		u.folders[f] = true
	}
	u.root, _ = p.UserFolder(user)
	return u
}

// Prefixes returns the folders in, or below, which all paths of the user lie that are known of.
func (u *UserPlaces) Prefixes() []string {
	if u.root != "" {
		list := []string{u.root}
		for f := range u.folders {
			if !strings.HasPrefix(f, u.root+"/") { // As a table without a shard of its own, or an older template has it.
				list = append(list, f)
			}
		}
		return list
	}
	list := make([]string, 0, len(u.folders))
	for f := range u.folders {
		list = append(list, f)
	}
	return list
}

// Has reports whether the object at a path is one of the user's: it lies in a folder of the user's
// rows, whether or not its table is known, or in the user's own folder, and not in that of a SHARED table.
func (u *UserPlaces) Has(path string) bool {
	dir := ""
	if folder, _, ok := CatalogOf(path); ok {
		path = folder + "/" // Whoever has the folder has what lies in it.
	}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir = path[:i]
	}
	if u.folders[dir] {
		return true
	}
	if place, ok := u.templates.PlaceOf(dir); ok {
		return place.Kind == kalam.KindUserTable && place.User == u.user
	}
	return u.root != "" && strings.HasPrefix(path, u.root+"/")
}
