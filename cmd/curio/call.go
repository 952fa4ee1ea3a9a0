package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// seconds is a flag with a duration, which is not negative.
type seconds struct{ time.Duration }

func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("want a duration such as 5s")
	}
	s.Duration = d
	return nil
}

func newCall(ctx context.Context, command command, s system) *call {
	c := &call{system: s, ctx: ctx, command: command, flags: flag.NewFlagSet(command.name, flag.ContinueOnError)}
	c.set.timeout = seconds{30 * time.Second}
	c.flags.SetOutput(io.Discard) // parse prints
	c.flags.StringVar(&c.set.tokenFile, "token-file", "", "read the monitor's token from `FILE`")
	c.flags.Var(&c.set.timeout, "timeout", "give up if an answer takes longer than `DURATION`")
	return c
}

// addJSON adds the flag -json.
func (c *call) addJSON() {
	c.flags.BoolVar(&c.set.json, "json", false, "print the monitor's answer, as JSON")
}

// parse parses args, in which flags and arguments may be mixed, and returns the arguments: least of them at least, and
// at most one more, which is the address.
func (c *call) parse(args []string, least int) (arguments []string, err error) {
	for {
		if err := c.flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			c.printHelp()
			return nil, errHelped
		} else if err != nil {
			return nil, c.misuse(clean(err.Error()))
		}
		rest := c.flags.Args()
		if ended := len(args) - len(rest); len(rest) == 0 || ended > 0 && args[ended-1] == "--" {
			arguments = append(arguments, rest...)
			break
		}
		arguments, args = append(arguments, rest[0]), rest[1:]
	}
	switch {
	case len(arguments) < least:
		return nil, c.misuse("an argument is missing")
	case len(arguments) > least+1:
		return nil, c.misuse("there are too many arguments")
	}
	return arguments, nil
}

// misuse says what is wrong with the command line.
func (c *call) misuse(what string) error {
	fmt.Fprintf(c.stderr, "curio %s: %s\nusage: curio %[1]s [FLAGS] %[3]s\n", c.command.name, what, c.command.arguments)
	return errUsage
}

// errHelped ends a command that was only asked for its flags.
var errHelped = errors.New("helped")

func (c *call) printHelp() {
	fmt.Fprintf(c.stdout, "Usage: curio %s [FLAGS] %s\n\nTo %s.\n\n", c.command.name, c.command.arguments, c.command.summary)
	c.flags.VisitAll(func(f *flag.Flag) {
		kind, usage := flag.UnquoteUsage(f)
		name := strings.TrimSpace("-" + f.Name + " " + kind)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "true" {
			usage += " (" + f.DefValue + ")"
		}
		fmt.Fprintf(c.stdout, "  %-22s  %s\n", name, usage)
	})
}

// client returns a client for the address that is left of the arguments, or of the environment.
func (c *call) client(arguments []string) (*client, error) {
	text := c.getenv("CURIO_MONITOR")
	if len(arguments) > 0 {
		text = arguments[0]
	}
	at, err := parseAddress(text)
	if err != nil {
		return nil, err
	}
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	return newClient(at, token)
}

// maxToken bounds what is read of the file with the token.
const maxToken = 4 << 10

// token is never an argument: those can be seen by all users of the machine.
func (c *call) token() (string, error) {
	if c.set.tokenFile == "" {
		return c.getenv("CURIO_MONITOR_TOKEN"), nil
	}
	f, err := os.Open(c.set.tokenFile)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s has no token: want one line of ASCII", clean(c.set.tokenFile))
	}
	return token, nil
}

// bounded returns a context for one question.
func (c *call) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.ctx, c.set.timeout.Duration)
}

// find returns the task that an argument names: by its number or, if it is the only one, by its name or path.
func (c *call) find(ctx context.Context, from *client, argument string) (task, error) {
	if id, err := strconv.ParseUint(argument, 10, 64); err == nil {
		return from.task(ctx, id)
	}
	name := argument[strings.LastIndexByte(argument, '/')+1:]
	p, err := from.picture(ctx, name, maxTasks)
	if err != nil {
		return task{}, err
	}
	var found []*task
	for i := range p.Tasks {
		if t := &p.Tasks[i]; t.Name == argument || t.Path == argument {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return task{}, fmt.Errorf("there is no task %s", clean(argument))
	case 1:
		return *found[0], nil
	}
	const most = 20
	all := []string{fmt.Sprintf("%d tasks have the name %s: give the number of one of them", len(found), clean(argument))}
	for _, t := range found[:min(len(found), most)] {
		all = append(all, t.title())
	}
	if len(found) > most {
		all = append(all, fmt.Sprintf("and %d more", len(found)-most))
	}
	return task{}, errors.New(strings.Join(all, "\n\t"))
}
