package network_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// Package crypto/tls answers a KeyUpdate of TLS 1.3 but never asks for one. A keyUpdater is
// the sending side of a client that does: it knows the secret, from the log of keys, and
// makes the records itself.
type keyUpdater struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func newKeyUpdater(keyLog string) (*keyUpdater, error) {
	for line := range strings.Lines(keyLog) {
		if rest, ok := strings.CutPrefix(line, "CLIENT_TRAFFIC_SECRET_0 "); ok {
			secret, err := hex.DecodeString(strings.Fields(rest)[1])
			k := new(keyUpdater)
			if err == nil {
				err = k.use(secret)
			}
			return k, err
		}
	}
	return nil, fmt.Errorf("no secret in the log of keys %q", keyLog)
}

// expand is HKDF-Expand-Label of RFC 8446.
func expand(secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(info, byte(len(label))), label...)
	return hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
}

// use begins with a new secret.
func (k *keyUpdater) use(secret []byte) error {
	key, err := expand(secret, "key", 16)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return err
	}
	k.iv, err = expand(secret, "iv", 12)
	k.secret, k.seq = secret, 0
	return err
}

func (k *keyUpdater) record(typ byte, data []byte) []byte {
	nonce := bytes.Clone(k.iv)
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], k.seq)
	for i, x := range seq {
		nonce[4+i] ^= x
	}
	k.seq++
	header := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(data)+1+k.aead.Overhead()))
	return k.aead.Seal(bytes.Clone(header), nonce, append(bytes.Clone(data), typ), header)
}

// data is a record with something to receive.
func (k *keyUpdater) data(text string) []byte { return k.record(23, []byte(text)) }

// ask is a request for new keys, after which the client has new ones itself.
func (k *keyUpdater) ask() ([]byte, error) {
	record := k.record(22, []byte{24, 0, 0, 1, 1})
	next, err := expand(k.secret, "traffic upd", sha256.Size)
	if err != nil {
		return nil, err
	}
	return record, k.use(next)
}

// askingPair is a TLS connection with little room, whose client sends by way of k, over
// a, and receives as usual.
func askingPair(t *testing.T, below func(*socket.Socket) network.Conn) (client, server *network.TLSConn, a *socket.Socket, k *keyUpdater) {
	t.Helper()
	a, b := socketPair(t)
	if err := socket.SendBufferSize.Set(b, 1<<12); err != nil {
		t.Fatal(err)
	}
	forClient, forServer := configs(t)
	var log bytes.Buffer
	forClient.KeyLogWriter = &log
	client, server = network.TLSClient(a, forClient), network.TLSServer(below(b), forServer)
	inTasks(t, client.Handshake, server.Handshake)
	if got := client.ConnectionState().CipherSuite; got != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("the cipher suite is %s, which this test cannot do", tls.CipherSuiteName(got))
	}
	k, err := newKeyUpdater(log.String())
	if err != nil {
		t.Fatal(err)
	}
	return client, server, a, k
}

// A withoutFlags cannot send without waiting.
type withoutFlags struct{ network.Conn }

// A withFlags can.
type withFlags struct{ *socket.Socket }

func (s withFlags) SendFlags(_ context.Context, buf []byte, flags int) (int, error) {
	return syscall.SendmsgN(s.FD(), buf, nil, nil, flags)
}

var belows = map[string]func(*socket.Socket) network.Conn{
	"with SendFlags":    func(s *socket.Socket) network.Conn { return withFlags{s} },
	"without SendFlags": func(s *socket.Socket) network.Conn { return withoutFlags{s} },
}

// Whoever receives answers a request for new keys and goes on, although a sender is
// blocked, and the records of both are in order.
func TestTLSKeyUpdateWhileSending(t *testing.T) {
	for name, below := range belows {
		t.Run(name, func(t *testing.T) {
			client, server, a, k := askingPair(t, below)
			data := testutil.Pattern(13, 300_000)
			inTasks(t, func(ctx context.Context) error {
				sender := curio.Go(ctx, sendsThenEnds(server, data))
				testutil.Await(t, "a blocked sender", func() bool { return sender.State() == "WRITE_WAIT" })
				for i := range 5 {
					ask, err := k.ask()
					if err != nil {
						return err
					}
					text := fmt.Sprint("message ", i)
					if _, err := a.SendAll(ctx, append(ask, k.data(text)...)); err != nil {
						return err
					}
					if err := expectText(ctx, server, text); err != nil {
						return err
					}
				}
				if sender.State() != "WRITE_WAIT" {
					t.Errorf("the sender is in %s", sender.State())
				}
				if err := receivesAll(client, data)(ctx); err != nil {
					return err
				}
				return sender.Wait(ctx)
			})
		})
	}
}

func expectText(ctx context.Context, conn network.Conn, text string) error {
	buf := make([]byte, len(text)+1)
	n, err := conn.Recv(ctx, buf)
	if err == nil && string(buf[:n]) != text {
		err = fmt.Errorf("received %q, want %q", buf[:n], text)
	}
	return err
}

// If nobody sends, the answer goes out at once where that takes no waiting, or else with
// what is sent next.
func TestTLSKeyUpdateAnswered(t *testing.T) {
	for name, below := range belows {
		t.Run(name, func(t *testing.T) {
			client, server, a, k := askingPair(t, below)
			inTasks(t, func(ctx context.Context) error {
				is(t, curio.TimeoutAfter(ctx, short, client.WaitRead), taskTimeout...) // takes the tickets
				ask, err := k.ask()
				if err != nil {
					return err
				}
				if _, err := a.SendAll(ctx, append(ask, k.data("x")...)); err != nil {
					return err
				}
				if err := expectText(ctx, server, "x"); err != nil {
					return err
				}
				if name == "with SendFlags" {
					if err := a.WaitRead(ctx); err != nil {
						return err
					}
				} else {
					is(t, curio.TimeoutAfter(ctx, short, a.WaitRead), taskTimeout...)
				}
				if _, err := server.SendAll(ctx, []byte("y")); err != nil {
					return err
				}
				return expectText(ctx, client, "y")
			})
		})
	}
}

// A peer that asks for new keys all the time and receives nothing does not fill up the
// memory: in the end whoever receives waits for the answers to be sent, and can be
// cancelled there.
func TestTLSKeyUpdateFlood(t *testing.T) {
	for name, below := range belows {
		t.Run(name, func(t *testing.T) {
			client, server, a, k := askingPair(t, below)
			inTasks(t, func(ctx context.Context) error {
				sender := curio.Go(ctx, func(ctx context.Context) error {
					_, err := server.SendAll(ctx, make([]byte, 100_000))
					return err
				})
				testutil.Await(t, "a blocked sender", func() bool { return sender.State() == "WRITE_WAIT" })
				received := 0
				receiver := curio.Go(ctx, func(ctx context.Context) error {
					buf := make([]byte, 10)
					for {
						n, err := server.Recv(ctx, buf)
						if received += n; err != nil {
							return err
						}
					}
				}, curio.ReportCrash(false))
				var asked atomic.Int32
				asker := curio.Go(ctx, func(ctx context.Context) error {
					for {
						ask, err := k.ask()
						if err != nil {
							return err
						}
						if _, err := a.SendAll(ctx, append(ask, k.data("x")...)); err != nil {
							return err
						}
						asked.Add(1)
					}
				}, curio.ReportCrash(false))
				testutil.Await(t, "backpressure", func() bool { return receiver.State() == "LOCK_ACQUIRE" })
				testutil.Await(t, "something left to receive", func() bool { return asked.Load() > 10 })
				if _, err := receiver.Cancel(ctx); err != nil {
					return err
				}
				is(t, receiver.Err(), taskCancelled...)
				if received < 8 || received > 10 { // one may have been on its way, and one sent
					t.Errorf("%d requests were answered before it stopped", received)
				}
				if _, err := asker.Cancel(ctx); err != nil {
					return err
				}
				// All is well as soon as the other side receives.
				got := 0
				for buf := make([]byte, 10_000); got < 100_000; {
					n, err := client.Recv(ctx, buf)
					if err != nil {
						return err
					}
					got += n
				}
				if err := sender.Wait(ctx); err != nil {
					return err
				}
				return expectText(ctx, server, "x")
			})
		})
	}
}
