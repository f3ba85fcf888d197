// Package identity finds out who sends a request, by the credentials that it carries.
//
// # Basics
//
// ByBearer takes a token: an access token of this server, one that another user had minted, or one of an OIDC issuer
// or an application that the configuration trusts. ByKey takes an API key. Both give a Login: the principal, and what
// it was proved by. Valid asks again whether that proof still holds; it costs no more than a look into the catalog,
// so that callers ask before each thing that they serve. catalog.TokensEnded tells when to ask of what is under way.
//
// # Guarantees
//
//   - What ends credentials (logout, another password or role, DROP USER, DROP API KEY, REVOKE TOKENS, a refresh token
//     that was copied) has ended them for every caller once it has returned: nothing about the user is cached.
//   - A signature is checked once: verified tokens are kept by their digest, in a cache of bounded size.
//   - All errors but ErrExpired look alike, and so does the time that they take: they do not depend on what is there.
//   - No text of a token or key is kept, logged or part of an error.
package identity
