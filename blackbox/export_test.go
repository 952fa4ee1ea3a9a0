package blackbox

import (
	"os"
	"time"
)

// SetBetween sets how far apart reports are, and returns how to undo it.
func SetBetween(d time.Duration) (restore func()) {
	old := between
	between = d
	return func() { between = old }
}

// SetBeforeWrite sets what is called before a report is written. It must be called before On.
func SetBeforeWrite(f func()) (restore func()) {
	beforeWrite = f
	return func() { beforeWrite = nil }
}

// Create makes a file in dir as reports are made.
func Create(dir, name string) (*os.File, error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.create(name)
}

// NewName returns the name of a new set.
func NewName() string { return newBase("") }

// Prune removes old sets. own is the one that this process has, "" for none.
func Prune(dir string, keep int, own string) error {
	d, err := openDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	d.own = own
	d.prune(keep)
	return nil
}

// PrivateDirectory returns an error if others may write to dir.
func PrivateDirectory(dir string) error {
	d, err := openDir(dir)
	if err == nil {
		d.Close()
	}
	return err
}
