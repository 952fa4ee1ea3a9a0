package socket

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// This file holds what the functions that look up names and addresses have in common. They use
// package net's resolver, which does not always return at once when its context is done: Go's own
// waits for the answer of a reverse lookup all the same, and the C library's cannot be interrupted.
// So they call it in a separate goroutine, and abandon that if they have to. It lasts until the
// resolver gives up.

// A query is what a lookup is about. It is the address in errors, and the object that the task
// waits for.
type query struct {
	op, host, service string
}

// Network makes q a net.Addr.
func (q query) Network() string { return "ip" }

// String is the host and the service, as far as there are any.
func (q query) String() string {
	switch {
	case q.service == "":
		return q.host
	case strings.Contains(q.host, ":"):
		return "[" + q.host + "]:" + q.service
	}
	return q.host + ":" + q.service
}

// check refuses a name with a zero byte: some resolvers would truncate it there, and look
// up another name.
func (q query) check() error {
	for _, name := range []string{q.host, q.service} {
		if strings.IndexByte(name, 0) >= 0 {
			return &net.DNSError{Err: "name with a zero byte", Name: strconv.Quote(name), IsNotFound: true}
		}
	}
	return nil
}

// failed wraps the error of q. If ctx is done, that is the cause: the resolver has errors of its
// own for that.
func (q query) failed(ctx context.Context, err error) error {
	if _, ended := wait.At(ctx); ended != nil {
		err = ended
	}
	return &net.OpError{Op: q.op, Net: q.Network(), Addr: q, Err: err}
}

// answerNow runs look, which asks nobody.
func answerNow[T any](ctx context.Context, q query, look func(ctx context.Context) (T, error)) (found T, err error) {
	if _, err = wait.At(ctx); err == nil {
		err = q.check()
	}
	if err == nil {
		found, err = look(ctx)
	}
	if err != nil {
		var none T
		return none, q.failed(ctx, err)
	}
	return found, nil
}

// answer runs look, and waits for it in the state DNS_WAIT.
func answer[T any](ctx context.Context, q query, look func(ctx context.Context) (T, error)) (T, error) {
	type answered struct {
		found T
		err   error
	}
	return answerNow(ctx, q, func(ctx context.Context) (T, error) {
		done := make(chan answered, 1) // so that who comes too late can go
		go func() {
			found, err := look(ctx)
			done <- answered{found, err}
		}()
		a, _, err := wait.ReceiveAs(ctx, "DNS_WAIT", q, done)
		if err == nil {
			err = a.err
		}
		if err != nil && late(ctx) {
			_, _, err = wait.ReceiveAs[answered](ctx, "DNS_WAIT", q, nil)
		}
		return a.found, err
	})
}

// late reports whether ctx is done or its deadline has passed. The resolver measures the deadline
// itself, and may be the first to notice that it has passed.
func late(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(deadline)
}

// resolver returns r, or the default one as it is now: an abandoned lookup must not see a later
// one.
func resolver(r *net.Resolver) *net.Resolver {
	if r == nil {
		return net.DefaultResolver
	}
	return r
}

// lookupAddrs returns the addresses of a host of a family, or of both if that is 0.
func lookupAddrs(ctx context.Context, r *net.Resolver, family int, host string) ([]netip.Addr, error) {
	network := "ip"
	switch family {
	case AF_INET:
		network = "ip4"
	case AF_INET6:
		network = "ip6"
	}
	addrs, err := r.LookupNetIP(ctx, network, host)
	if _, unsuitable := err.(*net.AddrError); unsuitable || err == nil && len(addrs) == 0 {
		return nil, noAddress(host)
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, err
}

// noAddress is the error for a name that has none, or none of the family asked for.
func noAddress(host string) error {
	return &net.DNSError{Err: "no suitable address", Name: host, IsNotFound: true}
}

// lookupNames returns the names of an address, of which there is at least one.
func lookupNames(ctx context.Context, r *net.Resolver, addr netip.Addr) ([]string, error) {
	names, err := r.LookupAddr(ctx, addr.WithZone("").Unmap().String())
	if err == nil && len(names) == 0 {
		err = &net.DNSError{Err: "no name", Name: addr.String(), IsNotFound: true}
	}
	for i, name := range names {
		names[i] = relative(name)
	}
	return names, err
}

// canonical returns the name that host is an alias of; host itself if nobody knows.
func canonical(ctx context.Context, r *net.Resolver, host string) string {
	if name, err := r.LookupCNAME(ctx, host); err == nil {
		return relative(name)
	}
	return host
}

// relative is name without the dot at the end by which the DNS means its root.
func relative(name string) string {
	if len(name) > 1 {
		return strings.TrimSuffix(name, ".")
	}
	return name
}

func isNotFound(err error) bool {
	e, ok := err.(*net.DNSError)
	return ok && e.IsNotFound
}
