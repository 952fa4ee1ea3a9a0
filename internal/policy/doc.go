// Package policy holds no code, only tests of the repository itself: which
// package may import which, what the public API is, that it is documented,
// that the programs in the documents run, and a few habits a compiler does
// not check.
//
// They are ordinary tests so that "go test ./..." runs them: a rule that needs
// a second command is a rule that is broken on the first busy day. Each checker
// is a function of the source it is given, and has a test that hands it
// something it must object to, because a check that cannot fail proves nothing.
package policy
