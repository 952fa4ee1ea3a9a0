// Package gobs turns values into messages of encoding/gob and back, and takes care of what gob forgets and
// believes.
//
// What gob forgets: fields that are not exported, functions, channels, pointers to zero. Check refuses a
// type that would lose something. What gob believes: the counts in a message, of which 27 bytes are enough
// for 13 GB. Decode follows the whole message first, and hands it to gob only if each count is borne out by
// the bytes after it.
//
// A message is a byte of flags and then what a gob.Encoder writes, in a form that leaves no doubt: all
// definitions of types come first, each by itself, and then one value, with no definition inside it. A
// gob.Encoder puts the definition of a type that it finds in an interface into the middle of the value, and
// cuts the message in two there. The Encoder here finds these types beforehand. The Decoder takes nothing
// else, so that it need not guess how gob would read it.
//
// The types are defined once for a connection, in a table that both ends keep. If one end loses it, a
// message says that the table begins anew with it.
package gobs

// The flags of a message.
const (
	flagAnew = 1 << iota // the table of types begins anew with this message
	flagNil              // a nil pointer: nothing follows
)

// maxDepth is how deeply a value may be nested: gob calls itself for each level, and a goroutine's stack
// cannot be extended for ever.
const maxDepth = 10000
