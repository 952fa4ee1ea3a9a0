//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"time"
)

// serverMain serves a work until it is killed, and says where.
func serverMain(implementation, name string) error {
	w, err := workOf(name)
	if err != nil {
		return err
	}
	s := &site{work: w}
	if w.is("tls") {
		if s.tls, err = certified(); err != nil {
			return err
		}
	}
	if w.is("sendfile") {
		if s.file, err = fileOf(w.size); err != nil {
			return err
		}
	}
	if implementation == "net" {
		return s.serveNet()
	}
	return s.serveCurio()
}

// A site is what a server serves.
type site struct {
	work work
	tls  *tls.Config
	file *os.File
}

// listening says where it listens.
func listening(addr fmt.Stringer) { fmt.Println(addr) }

// fileOf is a file of the given size that has no name any more.
func fileOf(size int) (*os.File, error) {
	f, err := os.CreateTemp("", "network-bench-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	_, err = f.Write(make([]byte, size))
	return f, err
}

// certified is a server's side of TLS with a certificate that is good for nothing else.
func certified() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

// pathOf opens a file once more, as another description of it.
func pathOf(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
