//go:build !linux

package poll

// These are empty where we have no poller of our own.
type (
	ownState   struct{}
	ownClosing struct{}
)

func (f *FD) watch() error { return f.watchByRuntime(nil) }

// SetPlain and Distrust are for pollers that take a short read as a sign.
func (f *FD) SetPlain() {}

// Distrust undoes SetPlain.
func (f *FD) Distrust() {}

// Setting is called before an option is set.
func (f *FD) Setting(level, name int) {}

func (f *FD) begun() {}

// IsPlain reports whether SetPlain holds.
func (f *FD) IsPlain() bool { return false }

// IsPollers reports whether fd is a descriptor of our poller itself.
func IsPollers(int) bool { return false }
