// Tlshttp is a web server over TLS, and a client that gets a page of it. The server is package net/http on a listener of
// Curio's. The client speaks HTTP by hand: it connects, writes a request, and reads what comes back. The server makes a
// certificate for this machine, and writes it to the file that -ca names, so that clients can verify it.
//
//	go run ./examples/tlshttp -ca ca.pem
//	go run ./examples/tlshttp -ca ca.pem -get /hello
//	curl --cacert ca.pem https://127.0.0.1:25443/hello
//
// On Ctrl-C the requests in progress may go on for a while; a second Ctrl-C ends them.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/httptask"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

const (
	grace       = 5 * time.Second  // for the requests in progress when the server stops
	getWithin   = 30 * time.Second // for the client's whole request
	longestPage = 1 << 20          // bytes of an answer that the client reads
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25443", "`HOST:PORT` to listen on, or to connect with")
	ca := flag.String("ca", "", "`FILE` with the authority: the server writes it, and the client trusts it")
	get := flag.String("get", "", "be the client: get the page at this `PATH` and print it")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		if *get != "" {
			return fetch(ctx, os.Stdout, *addr, *ca, *get)
		}
		return listen(ctx, *addr, *ca)
	}, curio.StopOnSignals(), curio.Grace(grace)))
}

// listen makes a certificate, and serves.
func listen(ctx context.Context, addr, ca string) error {
	certificate, authority, err := selfSigned()
	if err != nil {
		return err
	}
	if ca != "" {
		if err := os.WriteFile(ca, authority, 0o644); err != nil {
			return err
		}
	}
	listener, err := network.ListenTCP(ctx, addr, &network.ServerConfig{
		TLS: &tls.Config{
			Certificates: []tls.Certificate{certificate},
			NextProtos:   []string{"h2", "http/1.1"},
		},
		MaxConnections: 1000,
	})
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.LocalAddr())
	return serve(ctx, listener)
}

// serve serves until it is asked to stop, and then lets the requests in progress end, for as long as ctx is not done.
func serve(ctx context.Context, listener *network.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello over TLS, from %s\n", curio.CurrentTask(r.Context()).Name())
	})
	server := &http.Server{
		Handler:           httptask.Handler(mux),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		// A handshake that fails is nothing to log by default: anybody could fill the log.
		ErrorLog: slog.NewLogLogger(curio.LoggerOf(ctx).Handler(), slog.LevelDebug),
	}
	accepting := network.NetListener(ctx, listener)
	task := curio.Go(ctx, func(context.Context) error { return server.Serve(accepting) }, curio.Name("serve"))
	serving, cancel := curio.UntilStop(ctx)
	defer cancel()
	_ = task.Wait(serving) // ends before the stop if the listener has failed
	if err := server.Shutdown(ctx); err != nil {
		server.Close() // which cancels the requests that are left
	}
	_, err := task.Join(context.Background())
	if errors.Is(err, http.ErrServerClosed) {
		return curio.CheckCancellation(ctx)
	}
	return err
}

// fetch is the client: it prints the page at path.
func fetch(ctx context.Context, out io.Writer, addr, ca, path string) error {
	config, err := clientConfig(addr, ca)
	if err != nil {
		return err
	}
	return curio.TimeoutAfter(ctx, getWithin, func(ctx context.Context) error {
		conn, err := network.OpenConnection(ctx, addr, &network.ConnectConfig{TLS: config})
		if err != nil {
			return err
		}
		defer conn.Close()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+path, http.NoBody)
		if err != nil {
			return err
		}
		request.Close = true // no further request comes
		if err := request.Write(stream.Writer(ctx, conn)); err != nil {
			return err
		}
		response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(stream.Reader(ctx, conn), longestPage)), request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("get %s: %s", path, response.Status)
		}
		_, err = io.Copy(out, response.Body)
		return err
	})
}

// clientConfig trusts the authority in a file, or the system's authorities.
func clientConfig(addr, ca string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: host}
	if ca == "" {
		return config, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in it", ca)
	}
	return config, nil
}
