package network_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// The order of lookups and attempts, in bubbles: nothing here is a socket, and delays
// are to the nanosecond.

var refusal = syscall.ECONNREFUSED

// bubble runs body in a bubble, as the main task of a kernel, where nothing may be left.
func bubble(t *testing.T, body func(t *testing.T, ctx context.Context)) {
	t.Helper()
	bubbleOf(t, func(t *testing.T, ctx context.Context, _ *curio.Kernel) { body(t, ctx) })
}

func bubbleOf(t *testing.T, body func(t *testing.T, ctx context.Context, k *curio.Kernel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		err := k.Run(t.Context(), func(ctx context.Context) error {
			body(t, ctx, k)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if tasks := k.Tasks(); len(tasks) > 0 {
			t.Errorf("tasks are left: %v", tasks)
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

const ms = time.Millisecond

func TestOrderOfAttempts(t *testing.T) {
	servfail := &net.DNSError{Err: "server misbehaving", Name: "host", IsTemporary: true}
	for _, c := range []struct {
		name   string
		hosts  hosts
		after  map[string]time.Duration
		fails  map[string]error
		config network.ConnectConfig
		events string // separated by commas
		won    string // "" if all fails
		says   []string
	}{
		{
			name:   "IPv6 comes first and is tried at once",
			hosts:  hosts{v6: reply{10 * ms, "::1", nil}, v4: reply{30 * ms, "127.0.0.1", nil}},
			events: "10ms ::1, 10ms end",
			won:    "[::1]:80",
		},
		{
			name:   "a black hole costs one delay",
			hosts:  hosts{v6: reply{10 * ms, "::1", nil}, v4: reply{30 * ms, "127.0.0.1", nil}},
			after:  map[string]time.Duration{"::1": never},
			events: "10ms ::1, 260ms 127.0.0.1, 260ms end",
			won:    "127.0.0.1:80",
		},
		{
			name:   "IPv4 waits for IPv6, which comes in time",
			hosts:  hosts{v6: reply{59 * ms, "::1", nil}, v4: reply{10 * ms, "127.0.0.1", nil}},
			events: "59ms ::1, 59ms end",
			won:    "[::1]:80",
		},
		{
			name:   "IPv4 waits for IPv6 in vain",
			hosts:  hosts{v6: reply{never, "::1", nil}, v4: reply{10 * ms, "127.0.0.1", nil}},
			events: "60ms 127.0.0.1, 60ms end",
			won:    "127.0.0.1:80",
		},
		{
			name:   "IPv4 does not wait",
			hosts:  hosts{v6: reply{never, "::1", nil}, v4: reply{10 * ms, "127.0.0.1", nil}},
			config: network.ConnectConfig{ResolutionDelay: -1},
			events: "10ms 127.0.0.1, 10ms end",
			won:    "127.0.0.1:80",
		},
		{
			name:   "IPv4 waits as long as it is told to",
			hosts:  hosts{v6: reply{999 * ms, "::1", nil}, v4: reply{10 * ms, "127.0.0.1", nil}},
			config: network.ConnectConfig{ResolutionDelay: time.Second},
			events: "999ms ::1, 999ms end",
			won:    "[::1]:80",
		},
		{
			name:   "IPv6 that fails first is not waited for",
			hosts:  hosts{v6: reply{5 * ms, "", servfail}, v4: reply{20 * ms, "127.0.0.1", nil}},
			events: "20ms 127.0.0.1, 20ms end",
			won:    "127.0.0.1:80",
		},
		{
			name:   "IPv6 that fails afterwards ends the waiting",
			hosts:  hosts{v6: reply{30 * ms, "", absent("host")}, v4: reply{20 * ms, "127.0.0.1", nil}},
			events: "30ms 127.0.0.1, 30ms end",
			won:    "127.0.0.1:80",
		},
		{
			name:   "IPv4 that fails holds nothing up",
			hosts:  hosts{v6: reply{30 * ms, "::1", nil}, v4: reply{20 * ms, "", servfail}},
			events: "30ms ::1, 30ms end",
			won:    "[::1]:80",
		},
		{
			name: "families take turns, in the resolver's order",
			hosts: hosts{
				v6: reply{0, "2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4", nil},
				v4: reply{0, "192.0.2.1 192.0.2.2", nil},
			},
			after: map[string]time.Duration{
				"2001:db8::1": never, "2001:db8::2": never, "2001:db8::3": never,
				"192.0.2.1": never, "192.0.2.2": never,
			},
			events: "0s 2001:db8::1, 250ms 192.0.2.1, 500ms 2001:db8::2, 750ms 192.0.2.2, " +
				"1s 2001:db8::3, 1.25s 2001:db8::4, 1.25s end",
			won: "[2001:db8::4]:80",
		},
		{
			name:   "late addresses take their turn among those not tried",
			hosts:  hosts{v6: reply{100 * ms, "2001:db8::1 2001:db8::2", nil}, v4: reply{0, "192.0.2.1 192.0.2.2", nil}},
			after:  map[string]time.Duration{"2001:db8::1": never, "192.0.2.1": never, "192.0.2.2": never},
			events: "50ms 192.0.2.1, 300ms 2001:db8::1, 550ms 192.0.2.2, 800ms 2001:db8::2, 800ms end",
			won:    "[2001:db8::2]:80",
		},
		{
			name:   "a late address after the delay is tried at once",
			hosts:  hosts{v6: reply{time.Second, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			after:  map[string]time.Duration{"192.0.2.1": never},
			events: "50ms 192.0.2.1, 1s ::1, 1s end",
			won:    "[::1]:80",
		},
		{
			name:   "a late address is waited for when all others have failed",
			hosts:  hosts{v6: reply{time.Second, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			fails:  map[string]error{"192.0.2.1": refusal},
			events: "50ms 192.0.2.1, 1s ::1, 1s end",
			won:    "[::1]:80",
		},
		{
			name:   "a refusal costs no delay, whichever attempt it is",
			hosts:  hosts{v6: reply{0, "::1 ::2", nil}, v4: reply{0, "192.0.2.1 192.0.2.2", nil}},
			after:  map[string]time.Duration{"::1": never, "192.0.2.1": 10 * ms, "::2": 300 * ms},
			fails:  map[string]error{"192.0.2.1": refusal},
			events: "0s ::1, 250ms 192.0.2.1, 260ms ::2, 510ms 192.0.2.2, 510ms end",
			won:    "192.0.2.2:80",
		},
		{
			name:   "an attempt may win after others have begun",
			hosts:  hosts{v6: reply{0, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			after:  map[string]time.Duration{"::1": 251 * ms, "192.0.2.1": never},
			events: "0s ::1, 250ms 192.0.2.1, 251ms end",
			won:    "[::1]:80",
		},
		{
			name:   "one after the other",
			hosts:  hosts{v6: reply{0, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			after:  map[string]time.Duration{"::1": time.Hour},
			fails:  map[string]error{"::1": syscall.ETIMEDOUT},
			config: network.ConnectConfig{AttemptDelay: -1},
			events: "0s ::1, 1h0m0s 192.0.2.1, 1h0m0s end",
			won:    "192.0.2.1:80",
		},
		{
			name:   "the least delay",
			hosts:  hosts{v6: reply{0, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			after:  map[string]time.Duration{"::1": never},
			config: network.ConnectConfig{AttemptDelay: 1},
			events: "0s ::1, 10ms 192.0.2.1, 10ms end",
			won:    "192.0.2.1:80",
		},
		{
			name:   "all are refused",
			hosts:  hosts{v6: reply{0, "::1 ::2", nil}, v4: reply{0, "192.0.2.1", nil}},
			after:  map[string]time.Duration{"::1": ms}, // when both answers are there
			fails:  map[string]error{"::1": refusal, "::2": syscall.ENETUNREACH, "192.0.2.1": refusal},
			events: "0s ::1, 1ms 192.0.2.1, 1ms ::2, 1ms end",
			says:   []string{"host:80", "[::1]:80", "[::2]:80", "192.0.2.1:80", "refused", "unreachable"},
		},
		{
			name:   "all are refused and a lookup has failed",
			hosts:  hosts{v6: reply{0, "", servfail}, v4: reply{0, "192.0.2.1", nil}},
			fails:  map[string]error{"192.0.2.1": refusal},
			events: "0s 192.0.2.1, 0s end",
			says:   []string{"host:80", "192.0.2.1:80", "refused", "misbehaving"},
		},
		{
			name:   "there is no such host",
			hosts:  hosts{v6: reply{5 * ms, "", absent("host")}, v4: reply{7 * ms, "", absent("host")}},
			events: "7ms end",
			says:   []string{"connect tcp host:80: lookup host: no such host"},
		},
		{
			name:   "the host has no address",
			hosts:  hosts{v6: reply{5 * ms, "", nil}, v4: reply{7 * ms, "", &net.AddrError{Err: "no suitable address found", Addr: "host"}}},
			events: "7ms end",
			says:   []string{"host:80", "has no address"},
		},
		{
			name:   "both lookups fail alike",
			hosts:  hosts{v6: reply{0, "", servfail}, v4: reply{0, "", servfail}},
			events: "0s end",
			says:   []string{"connect tcp host:80: lookup host: server misbehaving"},
		},
		{
			name:   "an address that comes twice, or of the wrong family, or mapped",
			hosts:  hosts{v6: reply{0, "::1 ::1 192.0.2.7", nil}, v4: reply{0, "192.0.2.1 ::ffff:192.0.2.1 ::7", nil}},
			fails:  map[string]error{"::1": refusal, "192.0.2.1": refusal},
			events: "0s ::1, 0s 192.0.2.1, 0s end",
			says:   []string{"[::1]:80", "192.0.2.1:80"},
		},
		{
			name:   "an IPv4 source",
			hosts:  hosts{v6: reply{0, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			config: network.ConnectConfig{Source: netip.MustParseAddrPort("127.0.0.1:0")},
			events: "0s 192.0.2.1, 0s end",
			won:    "192.0.2.1:80",
		},
		{
			name:   "an IPv6 source without an address for it",
			hosts:  hosts{v6: reply{0, "", absent("host")}, v4: reply{0, "192.0.2.1", nil}},
			config: network.ConnectConfig{Source: netip.MustParseAddrPort("[::1]:0")},
			events: "0s end",
			says:   []string{"host:80", "no IPv6 address, for the source ::1"},
		},
		{
			name:   "a source that is a port",
			hosts:  hosts{v6: reply{0, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			fails:  map[string]error{"::1": refusal},
			config: network.ConnectConfig{Source: netip.AddrPortFrom(netip.Addr{}, 4711)},
			events: "0s ::1, 0s 192.0.2.1, 0s end",
			won:    "192.0.2.1:80",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				p := &pretence{after: c.after, fails: c.fails}
				c.config.Resolver = &c.hosts
				conn, err := p.connect(t, ctx, &c.config)
				if events := strings.Join(p.events, ", "); events != c.events {
					t.Errorf("it did\n%s\nand not\n%s", events, c.events)
				}
				if err == nil && (c.won == "" || conn.RemoteAddr().String() != c.won) || err != nil && c.won != "" {
					t.Errorf("%v, %v, want %s", conn, err, c.won)
				}
				checkOpening(t, err, "host:80", c.says)
			})
		})
	}
}

// checkOpening checks an error of OpenConnection, if it is one, and what it says.
func checkOpening(t *testing.T, err error, addr string, says []string) {
	t.Helper()
	if err == nil {
		return
	}
	op, ok := err.(*net.OpError)
	if !ok || op.Op != "connect" || op.Addr.String() != addr {
		t.Errorf("%#v, want a *net.OpError of connect with %s", err, addr)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

// Errors of all attempts can be asked for.
func TestErrorsOfAllAttempts(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := &pretence{fails: map[string]error{"::1": syscall.EHOSTUNREACH, "::2": refusal, "192.0.2.1": syscall.ETIMEDOUT}}
		servfail := &net.DNSError{Err: "server misbehaving", Name: "host"}
		_, err := p.connect(t, ctx, &network.ConnectConfig{
			Resolver: &hosts{v6: reply{0, "::1 ::2", nil}, v4: reply{0, "192.0.2.1", servfail}},
		})
		for _, want := range []error{syscall.EHOSTUNREACH, refusal, syscall.ETIMEDOUT, servfail} {
			if !errors.Is(err, want) {
				t.Errorf("%v is no %v", err, want)
			}
		}
		if errors.Is(err, curio.ErrCancelled) {
			t.Errorf("%v says that it was cancelled", err)
		}
	})
}

// Two connections come about in the same instant, again and again: one is returned, and
// the other is closed, which connect checks.
func TestTwoWinners(t *testing.T) {
	both := 0
	for range 200 {
		bubble(t, func(t *testing.T, ctx context.Context) {
			p := &pretence{after: map[string]time.Duration{"::1": 500 * ms, "192.0.2.1": 250 * ms}}
			conn, err := p.connect(t, ctx, &network.ConnectConfig{
				Resolver: &hosts{v6: reply{0, "::1", nil}, v4: reply{0, "192.0.2.1", nil}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"0s ::1", "250ms 192.0.2.1", "500ms end"}; !slices.Equal(p.events, want) {
				t.Errorf("it did %q", p.events)
			}
			if conn.RemoteAddr().String() == "192.0.2.1:80" {
				both++
			}
		})
	}
	t.Logf("the second won %d times of 200", both)
}

// Whenever it is cancelled or runs out of time, nothing is left, the error says so and
// what has failed before.
func TestEndedAtAnyTime(t *testing.T) {
	for _, end := range []time.Duration{0, 1, 10 * ms, 20 * ms, 45 * ms, 60 * ms, 100 * ms, 270 * ms, 299 * ms, 400 * ms} {
		for _, timeout := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/timeout=%v", end, timeout), func(t *testing.T) {
				bubble(t, func(t *testing.T, ctx context.Context) { endedAt(t, ctx, end, timeout) })
			})
		}
	}
}

func endedAt(t *testing.T, ctx context.Context, end time.Duration, timeout bool) {
	p := &pretence{
		after: map[string]time.Duration{"192.0.2.1": 5 * ms, "::1": never, "192.0.2.2": never, "::2": never},
		fails: map[string]error{"192.0.2.1": refusal},
	}
	config := &network.ConnectConfig{
		Resolver: &hosts{v6: reply{50 * ms, "::1 ::2", nil}, v4: reply{10 * ms, "192.0.2.1 192.0.2.2", nil}},
		// Lookups until 50 ms, with an attempt at 30 ms that fails at 35 ms.
		ResolutionDelay: 20 * ms,
	}
	var err error
	if timeout {
		err = curio.TimeoutAfter(ctx, end, func(ctx context.Context) error {
			_, err := p.connect(t, ctx, config)
			return err
		})
		is(t, err, taskTimeout...)
	} else {
		task := curio.Go(ctx, func(ctx context.Context) error {
			_, err := p.connect(t, ctx, config)
			return err
		})
		if err := curio.Sleep(ctx, end); err != nil {
			t.Fatal(err)
		}
		if _, err := task.Cancel(ctx); err != nil {
			t.Fatal(err)
		}
		err = task.Err()
		if end == 0 && len(p.events) == 0 { // it had not even begun
			return
		}
		is(t, err, taskCancelled...)
	}
	checkOpening(t, err, "host:80", nil)
	if refused := errors.Is(err, refusal); refused != (end > 35*ms) {
		t.Errorf("%v after %v", err, end)
	}
	if d := time.Since(p.began); d != end {
		t.Errorf("it took until %v", d)
	}
}

// A timeout in a timeout, and contexts of others: the error is whose it should be, although
// there are timeouts of OpenConnection's own around its waits.
func TestWhoseTimeIsUp(t *testing.T) {
	config := &network.ConnectConfig{Resolver: &hosts{v6: reply{0, "::1 ::2 ::3", nil}}}
	after := map[string]time.Duration{"::1": never, "::2": never, "::3": never}
	bubble(t, func(t *testing.T, ctx context.Context) {
		var inner error
		outer := curio.TimeoutAfter(ctx, 300*ms, func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				_, err := (&pretence{after: after}).connect(t, ctx, config)
				return err
			})
			return inner
		})
		is(t, outer, taskTimeout...)
		is(t, inner, outerTimeout...)
	})
	bubble(t, func(t *testing.T, ctx context.Context) {
		foreign, cancel := context.WithTimeout(ctx, 300*ms)
		defer cancel()
		_, err := (&pretence{after: after}).connect(t, foreign, config)
		is(t, err, foreignTimeout...)
		checkOpening(t, err, "host:80", nil)
	})
	synctest.Test(t, func(t *testing.T) { // and in no task
		foreign, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*ms, cancel)
		_, err := (&pretence{after: after}).connect(t, foreign, config)
		is(t, err, foreignCancel...)
	})
}

// Everybody can see what OpenConnection does.
func TestVisible(t *testing.T) {
	bubbleOf(t, func(t *testing.T, ctx context.Context, k *curio.Kernel) {
		p := &pretence{after: map[string]time.Duration{"::1": never, "192.0.2.1": never}}
		started := time.Now()
		opening := curio.Go(ctx, func(ctx context.Context) error {
			_, err := p.connect(t, ctx, &network.ConnectConfig{
				Resolver: &hosts{v6: reply{10 * ms, "::1 ::2", nil}, v4: reply{20 * ms, "192.0.2.1", nil}},
			})
			return err
		})
		for _, c := range []struct {
			at   time.Duration
			want []string
		}{
			{5 * ms, []string{"lookup A host DNS_WAIT", "lookup AAAA host DNS_WAIT"}},
			{15 * ms, []string{"connect to [::1]:80 TIME_SLEEP", "lookup A host DNS_WAIT"}},
			{265 * ms, []string{"connect to 192.0.2.1:80 TIME_SLEEP", "connect to [::1]:80 TIME_SLEEP"}},
		} {
			if err := curio.Sleep(ctx, c.at-time.Since(started)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			var got []string
			for _, task := range k.Tasks() {
				if task.Parent() == opening.AnyTask {
					got = append(got, task.Name()+" "+task.State())
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) || opening.State() != "TASKGROUP_NEXT" {
				t.Errorf("after %v: %s, %q, want %q", c.at, opening.State(), got, c.want)
			}
		}
		if _, err := opening.Cancel(ctx); err != nil {
			t.Error(err)
		}
	})
}

// With one address there is nothing to race with: no other task.
func TestOneAddressNeedsNoTask(t *testing.T) {
	for _, addr := range []string{"192.0.2.1:80", "[2001:db8::1]:http", ":80", "host:80"} {
		bubble(t, func(t *testing.T, ctx context.Context) {
			me := curio.CurrentTask(ctx)
			tries := 0
			config := &network.ConnectConfig{Resolver: &hosts{v6: reply{0, "", absent("host")}, v4: reply{0, "192.0.2.1", nil}}}
			_, err := network.OpenWith(ctx, addr, config,
				func(ctx context.Context, _ netip.AddrPort, _ *network.ConnectConfig) (network.Conn, error) {
					if tries++; curio.CurrentTask(ctx) != me {
						t.Errorf("%s is tried in another task", addr)
					}
					return nil, refusal
				})
			if tries != 1 || !errors.Is(err, refusal) {
				t.Errorf("%s: %d attempts, %v", addr, tries, err)
			}
		})
	}
}

// A resolver that panics, or says what cannot be, is not the end.
func TestOddResolvers(t *testing.T) {
	log := testutil.CaptureLog(t)
	defer log.Take("curio: task panicked")
	bubble(t, func(t *testing.T, ctx context.Context) {
		config := &network.ConnectConfig{Resolver: panicking{}}
		_, err := (&pretence{}).connect(t, ctx, config)
		if _, ok := errors.AsType[*curio.PanicError](err); !ok {
			t.Errorf("%v is no *PanicError", err)
		}
		if n := len(log.Find("curio: task panicked")); n != 2 {
			t.Errorf("%d panics have been reported", n)
		}
		for service, says := range map[string]string{"huge": "invalid port", "70000": "invalid port"} {
			_, err := network.OpenWith(ctx, "host:"+service, config, nil)
			checkOpening(t, err, "host:"+service, []string{says})
		}
		config.Resolver = &hosts{}
		_, err = network.OpenWith(ctx, "host:nothing", config, nil)
		checkOpening(t, err, "host:nothing", []string{"unknown port"})
	})
}

type panicking struct{}

func (panicking) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	panic("no names today")
}
func (panicking) LookupPort(context.Context, string, string) (int, error) { return 70000, nil }

func TestEverywhereRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			p := &pretence{
				after: map[string]time.Duration{"192.0.2.1": 5 * ms, "::1": never, "::2": 10 * ms},
				fails: map[string]error{"192.0.2.1": refusal},
			}
			_, err := p.connect(t, ctx, &network.ConnectConfig{
				Resolver:        &hosts{v6: reply{50 * ms, "::1 ::2", nil}, v4: reply{10 * ms, "192.0.2.1 192.0.2.2", nil}},
				ResolutionDelay: 20 * ms,
			})
			return err
		})
	})
}
