package catalog

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// The users that exist from the first start. Neither can be dropped, demoted or
// restored over. Nobody logs in as system: it is whom the server itself acts as.
const (
	RootUser   kalam.UserID = "root"
	SystemUser kalam.UserID = "system"
)

// IsBuiltIn reports whether id is a user that cannot be dropped or demoted.
func IsBuiltIn(id kalam.UserID) bool { return id == RootUser || id == SystemUser }

// Limits of a user's texts, in bytes.
const (
	MaxUsername = 128
	MaxEmail    = 320
	MaxMetadata = 1 << 20
)

// AuthType says how a user proves who they are.
type AuthType uint8

// The types of authentication.
const (
	AuthPassword AuthType = iota + 1
	AuthOAuth             // By a token of another issuer; User.AuthData names provider and subject.
	AuthInternal          // By being the server or on its machine; with a password also by that.
)

var authTypeNames = [...]string{AuthPassword: "password", AuthOAuth: "oauth", AuthInternal: "internal"}

// String returns the lower-case name.
func (a AuthType) String() string {
	if a == 0 || int(a) >= len(authTypeNames) {
		return fmt.Sprintf("auth(%d)", uint8(a))
	}
	return authTypeNames[a]
}

// ParseAuthType returns the type named s (lower case).
func ParseAuthType(s string) (AuthType, error) {
	for a := AuthPassword; a <= AuthInternal; a++ {
		if a.String() == s {
			return a, nil
		}
	}
	return 0, kalam.Errorf(kalam.CodeInvalidInput, "unknown auth_type '%s' (expected password, oauth or internal)", s)
}

// StorageMode says whose storage a user's rows of a USE_USER_STORAGE table go to.
type StorageMode uint8

// The storage modes; StorageModeTable is the default.
const (
	StorageModeTable  StorageMode = iota // The table's.
	StorageModeRegion                    // The user's: User.StorageID.
)

// String returns table or region.
func (m StorageMode) String() string {
	if m == StorageModeRegion {
		return "region"
	}
	return "table"
}

// ParseStorageMode returns the mode named s (lower case).
func ParseStorageMode(s string) (StorageMode, error) {
	switch s {
	case "table":
		return StorageModeTable, nil
	case "region":
		return StorageModeRegion, nil
	}
	return 0, kalam.Errorf(kalam.CodeConstraint, "unknown storage_mode '%s' (expected table or region)", s)
}

// User is one user. Empty texts and zero times are NULL.
type User struct {
	ID           kalam.UserID
	Username     string // What CREATE USER gives is the id.
	PasswordHash Secret // bcrypt; empty: no login by password.
	Role         kalam.Role
	Email        string
	AuthType     AuthType
	AuthData     Secret // JSON {"provider","subject",...} for AuthOAuth.
	Metadata     string // JSON.
	StorageMode  StorageMode
	StorageID    kalam.StorageID
	LastLogin    time.Time // In memory, like LastSeen.
	LastSeen     time.Time // In memory; durable at Close and whenever the record is written.
	CreatedAt    time.Time
	UpdatedAt    time.Time
	DeletedAt    time.Time // Not zero: dropped, but not yet purged.
	PurgingAt    time.Time // Not zero: the removal of the user's rows has begun; no way back.
	// TokenEpoch rises with a change of password or role, with DROP USER, restore
	// and EndTokens, and is never repeated by a later user of the same id. A token
	// made under another epoch is void.
	TokenEpoch uint64
}

// IsDeleted reports whether the user was dropped.
func (u *User) IsDeleted() bool { return !u.DeletedAt.IsZero() }

// hasPassword reports whether the user can log in by password at all.
func (u *User) hasPassword() bool {
	return !u.IsDeleted() && u.ID != SystemUser && u.AuthType != AuthOAuth && !u.PasswordHash.IsEmpty()
}

// userRecord is the stored form of a User, secrets in clear.
type userRecord struct {
	ID           kalam.UserID    `json:"id"`
	Username     string          `json:"username"`
	PasswordHash string          `json:"password_hash,omitempty"`
	Role         string          `json:"role"`
	Email        string          `json:"email,omitempty"`
	AuthType     string          `json:"auth_type"`
	AuthData     string          `json:"auth_data,omitempty"`
	Metadata     string          `json:"metadata,omitempty"`
	StorageMode  string          `json:"storage_mode"`
	StorageID    kalam.StorageID `json:"storage_id,omitempty"`
	FailedLogins int             `json:"failed_logins,omitempty"` // Up to record version 2; ignored.
	LockedUntil  time.Time       `json:"locked_until,omitzero"`   // The same.
	LastLogin    time.Time       `json:"last_login,omitzero"`
	LastSeen     time.Time       `json:"last_seen,omitzero"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
	DeletedAt    time.Time       `json:"deleted_at,omitzero"`
	PurgingAt    time.Time       `json:"purging_at,omitzero"`
	TokenEpoch   uint64          `json:"token_epoch"`
}

func recordOfUser(u *User) userRecord {
	return userRecord{
		ID: u.ID, Username: u.Username, PasswordHash: u.PasswordHash.Reveal(), Role: u.Role.String(), Email: u.Email,
		AuthType: u.AuthType.String(), AuthData: u.AuthData.Reveal(), Metadata: u.Metadata,
		StorageMode: u.StorageMode.String(),
		StorageID:   u.StorageID, LastLogin: u.LastLogin, LastSeen: u.LastSeen,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, DeletedAt: u.DeletedAt,
		PurgingAt: u.PurgingAt, TokenEpoch: u.TokenEpoch,
	}
}

func (r *userRecord) user() (User, error) {
	role, err := kalam.ParseRole(r.Role)
	if err != nil {
		return User{}, err
	}
	auth, err := ParseAuthType(r.AuthType)
	if err != nil {
		return User{}, err
	}
	mode, err := ParseStorageMode(r.StorageMode)
	if err != nil {
		return User{}, err
	}
	return User{
		ID: r.ID, Username: r.Username, PasswordHash: NewSecret(r.PasswordHash), Role: role, Email: r.Email,
		AuthType: auth,
		AuthData: NewSecret(r.AuthData), Metadata: r.Metadata, StorageMode: mode, StorageID: r.StorageID,
		LastLogin: r.LastLogin, LastSeen: r.LastSeen, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		DeletedAt: r.DeletedAt, PurgingAt: r.PurgingAt, TokenEpoch: r.TokenEpoch,
	}, nil
}

// checkUser refuses a user whose fields break a rule that depends on nothing else.
func checkUser(u *User) error {
	if _, err := kalam.ParseUserID(string(u.ID)); err != nil {
		return err
	}
	switch {
	case u.Username == "":
		return kalam.Errorf(kalam.CodeConstraint, "NOT NULL constraint violation: column 'username' cannot be NULL")
	case len(u.Username) > MaxUsername:
		return kalam.Errorf(kalam.CodeConstraint, "username is %d bytes long (maximum %d)", len(u.Username),
			MaxUsername)
	case len(u.Email) > MaxEmail:
		return kalam.Errorf(kalam.CodeConstraint, "email is %d bytes long (maximum %d)", len(u.Email), MaxEmail)
	case !utf8.ValidString(u.Username) || !utf8.ValidString(u.Email):
		return kalam.Errorf(kalam.CodeConstraint, "username or email is not valid UTF-8")
	case len(u.Metadata) > MaxMetadata:
		return kalam.Errorf(kalam.CodeConstraint, "metadata is %d bytes long (maximum %d)", len(u.Metadata),
			MaxMetadata)
	case u.Metadata != "" && (!json.Valid([]byte(u.Metadata)) || !utf8.ValidString(u.Metadata)):
		return kalam.Errorf(kalam.CodeConstraint, "Invalid JSON value for column 'metadata'")
	case u.Role < kalam.RoleUser || u.Role > kalam.RoleSystem:
		return kalam.Errorf(kalam.CodeInvalidInput, "a user cannot have the role %s", u.Role)
	case u.StorageMode == StorageModeRegion && u.StorageID == "":
		return kalam.Errorf(kalam.CodeConstraint, "storage_mode 'region' needs a storage_id")
	}
	if u.AuthType == AuthOAuth {
		return checkOAuth(u.AuthData)
	}
	return nil
}

// checkOAuth wants {"provider": "..", "subject": ".."}; further fields are kept.
func checkOAuth(data Secret) error {
	var d struct{ Provider, Subject string }
	if !utf8.ValidString(data.Reveal()) || json.Unmarshal([]byte(data.Reveal()), &d) != nil ||
		d.Provider == "" || d.Subject == "" {
		return kalam.Errorf(kalam.CodeInvalidInput, `OAUTH needs a JSON object with "provider" and "subject"`)
	}
	return nil
}
