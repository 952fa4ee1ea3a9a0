package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// netcat and socat, as clients and as servers: what they send comes back, all of it, and
// its end as well, although that comes when they have ended their own side.

// files are those that a program needs to show a certificate.
type files struct{ ca, cert, key string }

func (p *place) files(t *testing.T) (f files) {
	t.Helper()
	f.ca = testutil.WriteFile(t, "ca.pem", p.authority.PEM)
	f.cert, f.key = testutil.WriteCertificate(t, p.authority.Certificate(t, "client"))
	return f
}

// as puts the names of files, and an address, in the arguments of a program.
func (f files) as(addr string, args []string) []string {
	host, port, _ := net.SplitHostPort(addr)
	replace := strings.NewReplacer("{addr}", addr, "{host}", host, "{port}", port, "{ca}", f.ca, "{cert}", f.cert, "{key}", f.key)
	var out []string
	for _, arg := range args {
		out = append(out, replace.Replace(arg))
	}
	return out
}

// socat's -t is how long it waits for the other direction after the end of one.
func socat(address string) []string { return []string{"socat", "-t", "30", "STDIO", address} }

func TestServesPrograms(t *testing.T) {
	data := string(testutil.Pattern(3, 1<<20))
	for name, c := range map[string]struct {
		kind kind
		args []string
	}{
		"nc":                         {kind{}, []string{"nc", "-N", "{host}", "{port}"}},
		"nc Unix":                    {kind{unix: true}, []string{"nc", "-N", "-U", "{addr}"}},
		"socat":                      {kind{}, socat("TCP:{addr}")},
		"socat Unix":                 {kind{unix: true}, socat("UNIX-CONNECT:{addr}")},
		"socat TLS":                  {kind{tls: true}, socat("OPENSSL:{addr},cafile={ca},commonname=localhost")},
		"socat TLS 1.2":              {kind{tls: true}, socat("OPENSSL:{addr},cafile={ca},commonname=localhost,max-version=TLS1.2")},
		"socat TLS with certificate": {kind{tls: true}, socat("OPENSSL:{addr},cafile={ca},commonname=localhost,cert={cert},key={key}")},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.Need(t, c.args[0])
			p := c.kind.place(t)
			var f files
			if p.tls {
				f = p.files(t)
				p.server.ClientCAs, p.server.ClientAuth = p.authority.Pool, tls.VerifyClientCertIfGiven
				if strings.HasSuffix(name, "certificate") {
					p.server.ClientAuth = tls.RequireAndVerifyClientCert
				}
			}
			s := p.serve(t, network.ServerConfig{}, echo)
			args := f.as(s.Addr, c.args)
			client := testutil.Program(t, args[0], args[1:]...)
			go func() {
				_, _ = io.WriteString(client.Stdin, data) // if it fails, too little comes back
				client.Stdin.Close()
			}()
			if printed, status := client.Rest(); printed != data || status != 0 {
				t.Errorf("it received %d bytes of %d, and ended with status %d", len(printed), len(data), status)
			}
			testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
			is(t, s.cancel(), taskCancelled...)
			if lost := s.Log.Find(msgLost); len(lost) > 0 {
				t.Errorf("the server says %v", lost)
			}
		})
	}
}

// An abstract name, which has no file.
func TestServesAbstract(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("abstract names are Linux's")
	}
	testutil.Need(t, "socat")
	s := newServer(t)
	listener := listenUnix(t, "@"+t.TempDir(), nil)
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) })
	client := testutil.Program(t, "socat", socat("ABSTRACT-CONNECT:" + listener.LocalAddr().String()[1:])[1:]...)
	_, err := io.WriteString(client.Stdin, "hello")
	must(t, err)
	client.Stdin.Close()
	if printed, status := client.Rest(); printed != "hello" || status != 0 {
		t.Errorf("socat received %q and ended with status %d", printed, status)
	}
}

// Who has no certificate, or a stranger's, does not come in, is named, and the next one
// with a good one does.
func TestServesWhoHasACertificate(t *testing.T) {
	p := kind{tls: true}.place(t)
	p.server.ClientCAs, p.server.ClientAuth = p.authority.Pool, tls.RequireAndVerifyClientCert
	s := p.serve(t, network.ServerConfig{}, echo)
	own, strange := p.files(t), kind{tls: true}.place(t).files(t)
	for _, c := range []struct {
		name, says string
		args       []string
	}{
		{"socat without", "client didn't provide a certificate", own.as(s.Addr, socat("OPENSSL:{addr},cafile={ca},commonname=localhost"))},
		{"socat with a stranger's", "unknown authority", files{own.ca, strange.cert, strange.key}.as(s.Addr, socat("OPENSSL:{addr},cafile={ca},commonname=localhost,cert={cert},key={key}"))},
		{"socat with a good one", "", own.as(s.Addr, socat("OPENSSL:{addr},cafile={ca},commonname=localhost,cert={cert},key={key}"))},
		{"openssl without", "client didn't provide a certificate", own.as(s.Addr, []string{"openssl", "s_client", "-connect", "{addr}", "-CAfile", "{ca}", "-quiet"})},
		{"openssl with a stranger's", "unknown authority", files{own.ca, strange.cert, strange.key}.as(s.Addr, []string{"openssl", "s_client", "-connect", "{addr}", "-CAfile", "{ca}", "-cert", "{cert}", "-key", "{key}", "-quiet"})},
		{"openssl with a good one", "", own.as(s.Addr, []string{"openssl", "s_client", "-connect", "{addr}", "-CAfile", "{ca}", "-cert", "{cert}", "-key", "{key}", "-quiet"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			testutil.Need(t, c.args[0])
			client := testutil.Program(t, c.args[0], c.args[1:]...)
			_, _ = io.WriteString(client.Stdin, "hello\n") // it may have ended
			if c.says == "" {
				if line := client.Line(); line != "hello" {
					t.Errorf("it received %q", line)
				}
				client.Kill()
				client.Wait()
				testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
				s.Log.Take(msgLost) // it was killed
				return
			}
			record := s.Log.TakeOne(t, msgLost)
			err, _ := record.Attrs["err"].(error)
			op, ok := errors.AsType[*net.OpError](err)
			if !ok || op.Op != "handshake" || op.Addr == nil || op.Addr.String() != record.Attrs["peer"] || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the server says %v, want a handshake with %q", record, c.says)
			}
			client.Stdin.Close() // socat waits for its end
			if printed, _ := client.Rest(); printed != "" {
				t.Errorf("it received %q", printed)
			}
		})
	}
	is(t, s.cancel(), taskCancelled...)
}

// socat listens, and copies with cat; openssl in the same way demands a certificate.
func TestWithServers(t *testing.T) {
	data := testutil.Pattern(4, 1<<20)
	for name, c := range map[string]struct {
		kind kind
		args []string
		good bool
	}{
		"socat":                           {kind{}, []string{"socat", "-d", "-d", "-t", "30", "TCP-LISTEN:0,bind=127.0.0.1", "EXEC:cat"}, true},
		"socat Unix":                      {kind{unix: true}, []string{"socat", "-d", "-d", "-t", "30", "UNIX-LISTEN:{addr}", "EXEC:cat"}, true},
		"socat TLS with certificate":      {kind{tls: true}, []string{"socat", "-d", "-d", "-t", "30", "OPENSSL-LISTEN:0,bind=127.0.0.1,cafile={ca},cert={cert},key={key}", "EXEC:cat"}, true},
		"socat TLS without certificate":   {kind{tls: true}, []string{"socat", "-d", "-d", "-t", "30", "OPENSSL-LISTEN:0,bind=127.0.0.1,cafile={ca},cert={cert},key={key}", "EXEC:cat"}, false},
		"openssl TLS without certificate": {kind{tls: true}, []string{"openssl", "s_server", "-accept", "127.0.0.1:0", "-CAfile", "{ca}", "-cert", "{cert}", "-key", "{key}", "-rev", "-Verify", "1", "-verify_return_error"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.Need(t, c.args[0])
			testutil.NoLeaks(t)
			p := c.kind.place(t)
			var f files
			config := &network.ConnectConfig{TLS: p.client}
			if p.tls {
				p.client.ServerName = "client" // as the certificate has it
				f = p.files(t)
				if c.good {
					p.client.Certificates = []tls.Certificate{p.authority.Certificate(t)}
				}
			}
			args := f.as(p.path, c.args)
			server := testutil.Program(t, args[0], args[1:]...)
			addr := listensOn(t, args[0], server)
			inTasks(t, func(ctx context.Context) error {
				open := network.OpenConnection
				if p.unix {
					open, addr = network.OpenUnixConnection, p.path
				}
				conn, err := open(ctx, addr, config)
				if err != nil {
					return err
				}
				defer conn.Close()
				if c.good {
					return together(ctx, sendsThenEnds(conn, data), receivesAll(conn, data))
				}
				// With TLS 1.3 a client learns of it when it receives.
				_, err = conn.Recv(ctx, make([]byte, 1))
				alert, ok := errors.AsType[tls.AlertError](err)
				if !ok || !strings.Contains(err.Error(), "recv tcp") || !strings.Contains(err.Error(), addr) {
					t.Errorf("without a certificate: %v (%v)", err, alert)
				}
				return nil
			})
		})
	}
}

// listensOn is where a program listens, by what it says.
func listensOn(t *testing.T, name string, program *testutil.Child) (addr string) {
	t.Helper()
	if name == "openssl" {
		for !strings.HasPrefix(addr, "127.") {
			addr, _ = strings.CutPrefix(program.Line(), "ACCEPT ")
		}
		return addr
	}
	listening := regexp.MustCompile(`listening on AF=\d+ "?([^\s"]+)"?\n`)
	testutil.Await(t, "listener", func() bool {
		found := listening.FindStringSubmatch(program.Stderr())
		if found != nil {
			addr = found[1]
		}
		return found != nil
	})
	return addr
}
