package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

func runCancel(c *call, args []string) error {
	yes := c.flags.Bool("yes", false, "do not ask")
	arguments, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	from, err := c.client(arguments[1:])
	if err != nil {
		return err
	}
	t, err := c.findBounded(from, arguments[0])
	if err != nil {
		return err
	}
	if !*yes {
		if err := c.confirm("cancel " + t.title() + "?"); err != nil {
			return err
		}
	}
	ctx, cancel := c.bounded()
	defer cancel()
	path, err := from.cancel(ctx, t.ID, t.Name)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "cancelled %s (%d)\n", clean(path), t.ID)
	return nil
}

// findBounded is find without the time that somebody takes to answer a question.
func (c *call) findBounded(from *client, argument string) (task, error) {
	ctx, cancel := c.bounded()
	defer cancel()
	return c.find(ctx, from, argument)
}

// confirm asks the user, and returns an error if the answer is not yes.
func (c *call) confirm(question string) error {
	if !c.interactive {
		return errors.New("there is no terminal to ask on: use -yes")
	}
	fmt.Fprint(c.stderr, question, " [y/N] ")
	said, _ := bufio.NewReader(c.stdin).ReadString('\n') // the end of input is no yes
	switch strings.ToLower(strings.TrimSpace(said)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not cancelled")
}
