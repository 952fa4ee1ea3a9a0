package main

import (
	"errors"
	"os"

	"github.com/curio-go/curio/blackbox"
)

// runShow prints a file of package blackbox. No program has to run for that.
func runShow(c *call, args []string) error {
	arguments, err := c.parse(args, 1)
	switch {
	case err != nil:
		return err
	case len(arguments) > 1: // there is no address
		return c.misuse("there are too many arguments")
	}
	in, name := c.stdin, arguments[0]
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return errors.New(clean(err.Error()))
		}
		defer f.Close()
		in = f
	}
	report, err := blackbox.Read(in)
	if err != nil {
		err = errors.New(clean(name + ": " + err.Error()))
	}
	if report == nil {
		return err
	}
	return errors.Join(report.WriteText(c.stdout), err) // it is what could be read
}
