// Package browser holds no code, only tests: that the page of package monitor shows what a program does and lets nobody
// else in. Headless Chromium opens it, by keyboard and mouse, first from a stub that says what the test wants, then from the real
// monitor.
//
// The module is apart from the library, so that users of the library need no client for Chromium. How the page looks is
// for a person to judge: go test -run TestLooks -screenshots DIR writes pictures of it.
package browser
