package debug

import "fmt"

// NewFinder returns a finder for the task with the given ID.
func NewFinder(id int) *finder { return &finder{label: fmt.Sprintf("%q:\"%d\"", idKey, id)} }

// Found returns what f has found.
func (f *finder) Found() string { return f.found }
