package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// target returns into if a value can be decoded into it.
func target(into any) (any, error) {
	v := reflect.ValueOf(into)
	switch {
	case v.Kind() != reflect.Pointer:
		return nil, misused(fmt.Sprintf("Recv into a %T, which is not a pointer", into))
	case v.IsNil():
		return nil, misused(fmt.Sprintf("Recv into a nil %T", into))
	}
	return into, nil
}

// decodeJSON sets what to points to, all or nothing. A value that is there would be mixed with the new one:
// maps keep their other keys, and structs the fields that the message has not.
func decodeJSON(b []byte, to any) error {
	v := reflect.ValueOf(to).Elem()
	fresh := reflect.New(v.Type())
	if err := json.Unmarshal(b, fresh.Interface()); err != nil {
		return undecodable(b, err)
	}
	v.Set(fresh.Elem())
	return nil
}

// undecodable is the error for a message that could not be decoded. A method that decodes a value may return
// io.EOF, as one that reads does; to the caller of Recv that would be the end of the connection.
func undecodable(b []byte, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("a message of %d bytes: %v", len(b), err)
	}
	return fmt.Errorf("a message of %d bytes: %w", len(b), err)
}
