package channel

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// target returns into if a value can be decoded into it.
func target(into any) (any, error) {
	v := reflect.ValueOf(into)
	switch {
	case v.Kind() != reflect.Pointer:
		return nil, misused(fmt.Sprintf("Recv into a %T, which is no pointer", into))
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
		return fmt.Errorf("a message of %d bytes: %w", len(b), err)
	}
	v.Set(fresh.Elem())
	return nil
}
