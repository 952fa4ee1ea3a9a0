package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A dialer makes one attempt to connect. Tests have others than attempt.
type dialer func(ctx context.Context, to netip.AddrPort, config *ConnectConfig) (Conn, error)

// openTCP is OpenConnection. With only one address to try it needs no task.
func openTCP(ctx context.Context, addr string, config *ConnectConfig, dial dialer) (Conn, error) {
	failed := func(err error) (Conn, error) { return nil, opening(name(addr), err) }
	if _, err := wait.At(ctx); err != nil {
		return failed(err)
	}
	resolver := config.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	host, port, err := split(ctx, resolver, "tcp", addr)
	if err != nil {
		return failed(orEnded(ctx, err))
	}
	if err := config.refuse(host); err != nil {
		return failed(err)
	}
	ip, err := netip.ParseAddr(host)
	if host == "" {
		ip, err = config.loopback(), nil
	}
	var conn Conn
	switch {
	case err != nil:
		conn, err = (&race{config: config, dial: dial, resolver: resolver, host: host, port: port}).run(ctx)
	case !config.permits(familyNamed(ip)):
		err = config.unreachable(host)
	default:
		conn, err = dial(ctx, netip.AddrPortFrom(ip.Unmap(), port), config)
		if err != nil {
			return nil, err // it names the address
		}
	}
	if err == nil {
		conn, err = secure(ctx, conn, host, config)
	}
	if err != nil {
		return failed(err)
	}
	return conn, nil
}

// A family is one of IP addresses, in the order in which they are preferred.
type family int

const (
	v6 family = iota
	v4
	families
)

func familyNamed(ip netip.Addr) family {
	if ip.Is4() || ip.Is4In6() {
		return v4
	}
	return v6
}

// network and record are the family's names to a Resolver and in DNS.
func (f family) network() string { return [...]string{v6: "ip6", v4: "ip4"}[f] }
func (f family) record() string  { return [...]string{v6: "AAAA", v4: "A"}[f] }
func (f family) String() string  { return [...]string{v6: "IPv6", v4: "IPv4"}[f] }

// permits reports whether c's Source can connect with addresses of a family.
func (c *ConnectConfig) permits(f family) bool {
	return !c.Source.Addr().IsValid() || familyNamed(c.Source.Addr()) == f
}

// loopback is what an address without a host stands for: this machine, as in package net.
func (c *ConnectConfig) loopback() netip.Addr {
	if !c.permits(v4) {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// unreachable is the error for a host that has no address that Source permits.
func (c *ConnectConfig) unreachable(host string) error {
	source := c.Source.Addr()
	return &net.AddrError{Err: fmt.Sprintf("no %v address, for the source %v", familyNamed(source), source), Addr: host}
}

// A race is the attempts to connect with a name, by RFC 8305. All of it but config, dial
// and the like belongs to the goroutine that called OpenConnection. It starts the tasks,
// waits for the next one to end, or for the time of the next attempt, and decides what
// that means: the tasks themselves know nothing of each other.
//
// A connection belongs to the task that made it until the task is taken as the winner. When all
// tasks have ended, the connections of all others are closed.
type race struct {
	config   *ConnectConfig
	dial     dialer
	resolver Resolver
	host     string
	port     uint16

	group    *curio.TaskGroup[outcome]
	lookups  [families]*curio.Task[outcome] // in progress, nil for those that are not
	attempts []*curio.Task[outcome]         // all that there have been
	running  int                            // how many of attempts are in progress

	known   [families][]netip.Addr // the addresses, in the order of the resolver
	tried   [families]int          // how many of known have been tried, from the front
	turn    family                 // to be tried next, if it has any left
	hold    int64                  // when the next attempt may begin, 0 for at once
	missing []error                // of lookups that found nothing
	failed  attempts               // all other errors
}

// An outcome is what comes of a lookup, or of an attempt to connect.
type outcome struct {
	addrs []netip.Addr
	conn  Conn
}

// run returns the first connection that comes about, or all the errors.
func (r *race) run(ctx context.Context) (Conn, error) {
	conn, err := r.together(ctx)
	if conn == nil && err == nil && r.left() > 0 {
		var failure error
		if conn, failure = r.dial(ctx, r.next(), r.config); failure != nil {
			r.failed = append(r.failed, failure)
		}
	}
	if conn != nil {
		return conn, nil
	}
	if ended := orEnded(ctx, err); ended != nil {
		// What was cut short says no more than that, and perhaps from within.
		isCut := func(err error) bool { return errors.Is(err, curio.ErrCancelled) }
		if before := slices.DeleteFunc(r.failed, isCut); len(before) > 0 {
			ended = &cutShort{ended, before}
		}
		return nil, ended
	}
	if len(r.failed) == 0 {
		return nil, r.noAddress()
	}
	return nil, r.failed.err()
}

// noAddress is for when all lookups have found nothing.
func (r *race) noAddress() error {
	if r.config.Source.Addr().IsValid() {
		return r.config.unreachable(r.host)
	}
	for _, err := range r.missing {
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			return err
		}
	}
	return &net.DNSError{Err: "name has no address", Name: r.host, IsNotFound: true}
}

// errOver ends the group, which then cancels what is left and waits for that alone: it
// does not look at its context any more, which may have ended after a connection was won.
var errOver = errors.New("the race is over")

// together runs lookups and attempts in tasks of a group. If it returns neither a
// connection nor an error, it is over, or there is just one address left to try and
// nothing else to do meanwhile.
func (r *race) together(ctx context.Context) (won Conn, err error) {
	defer func() { r.closeLosers(won) }()
	_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[outcome]) error {
		r.group = g
		for f := range families {
			if r.config.permits(f) {
				r.lookup(f)
			}
		}
		won, err = r.first(ctx)
		return errOver
	}, curio.WaitNone, curio.KeepGoing)
	return won, err
}

// closeLosers closes what else has connected. All tasks have ended.
func (r *race) closeLosers(won Conn) {
	for _, t := range r.attempts {
		if o, _ := t.Result(); o.conn != nil && o.conn != won {
			o.conn.Close()
		}
	}
}

// first waits for the first connection. Its only error is that ctx is done.
func (r *race) first(ctx context.Context) (Conn, error) {
	for {
		idle := r.running == 0 && r.lookups == [families]*curio.Task[outcome]{}
		if idle && r.left() <= 1 {
			return nil, nil
		}
		if r.left() > 0 && (r.hold == 0 || wait.Now() >= r.hold) {
			r.attempt()
		}
		t, err := r.nextDone(ctx)
		if err != nil {
			return nil, err
		}
		switch f := family(slices.Index(r.lookups[:], t)); {
		case t == nil: // it is time for another attempt
		case f >= 0:
			r.answered(f, t)
		default:
			o, err := t.Result()
			if o.conn != nil {
				return o.conn, nil
			}
			r.running--
			r.failed = append(r.failed, err)
			r.hold = 0
		}
	}
}

// nextDone waits for the next task to end, but not for longer than until an attempt may
// begin, if there is an address for it: then it returns nil.
func (r *race) nextDone(ctx context.Context) (*curio.Task[outcome], error) {
	until := int64(0)
	if r.left() > 0 {
		until = r.hold
	}
	limited := wait.NewTimeout(ctx, until)
	defer limited.Close()
	t, err := r.group.NextDone(limited)
	if err != nil { // it is time, or nothing runs
		_, err = wait.At(ctx)
	}
	return t, err
}

// lookup starts to look up the addresses of a family.
func (r *race) lookup(f family) {
	r.lookups[f] = r.group.Spawn(func(ctx context.Context) (outcome, error) {
		addrs, err := lookup(ctx, r.resolver, f.network(), r.host)
		return outcome{addrs: addrs}, err
	}, curio.Name("lookup "+f.record()+" "+r.host))
}

// answered takes what a lookup has found. If nothing has been tried yet, IPv4 waits a
// little for IPv6.
func (r *race) answered(f family, t *curio.Task[outcome]) {
	r.lookups[f] = nil
	o, err := t.Result()
	for _, ip := range o.addrs {
		ip = ip.Unmap()
		if ip.IsValid() && familyNamed(ip) == f && !slices.Contains(r.known[f], ip) {
			r.known[f] = append(r.known[f], ip)
		}
	}
	switch {
	case notFound(err):
		r.missing = append(r.missing, err)
	case err != nil && !r.hasFailedWith(err):
		r.failed = append(r.failed, err)
	}
	if len(r.attempts) > 0 {
		return
	}
	r.hold = 0
	if f == v4 && r.lookups[v6] != nil {
		r.hold = r.resolutionDelay()
	}
}

// hasFailedWith reports whether the other lookup has ended in the same way.
func (r *race) hasFailedWith(err error) bool {
	return slices.ContainsFunc(r.failed, func(other error) bool { return other.Error() == err.Error() })
}

// notFound reports whether err just says that a name has no address, or none of the requested
// family, which package net reports if /etc/hosts has one of the other.
func notFound(err error) bool {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.IsNotFound
	}
	_, ok := errors.AsType[*net.AddrError](err)
	return ok
}

// attempt starts an attempt with the next address.
func (r *race) attempt() {
	to := r.next()
	r.attempts = append(r.attempts, r.group.Spawn(func(ctx context.Context) (outcome, error) {
		conn, err := r.dial(ctx, to, r.config)
		return outcome{conn: conn}, err
	}, curio.Name("connect to "+to.String())))
	r.running++
	r.hold = r.attemptDelay()
}

// left is how many addresses have not been tried.
func (r *race) left() (n int) {
	for f := range families {
		n += len(r.known[f]) - r.tried[f]
	}
	return n
}

// next takes the next address to try. There must be one.
func (r *race) next() netip.AddrPort {
	f := r.turn
	if r.tried[f] == len(r.known[f]) {
		f = families - 1 - f
	}
	r.turn = families - 1 - f
	r.tried[f]++
	return netip.AddrPortFrom(r.known[f][r.tried[f]-1], r.port)
}

func (r *race) attemptDelay() int64 {
	switch d := r.config.AttemptDelay; {
	case d == 0:
		return wait.After(usualAttemptDelay)
	case d < 0:
		return wait.After(curio.NoTimeout)
	default:
		return wait.After(max(d, leastAttemptDelay))
	}
}

func (r *race) resolutionDelay() int64 {
	return wait.After(max(0, cmp.Or(r.config.ResolutionDelay, usualResolutionDelay)))
}
