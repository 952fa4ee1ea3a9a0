package channel_test

import (
	"crypto/fips140"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
)

// traps 89: where only FIPS 140 is allowed, MD5 and short keys are errors and no panics.
func TestOnlyFIPS(t *testing.T) {
	testutil.Need(t, "sh")
	child := testutil.Shell(t, "sh", `GODEBUG=fips140=only exec "$0" "$@"`, "fips")
	said, status := child.Rest()
	if strings.HasPrefix(child.Stderr(), "panic: fips140: ") {
		t.Skip("this program cannot be run in that mode: " + child.Stderr())
	}
	const want = `short key: unsupported operation: FIPS 140 asks for a Config.Key of at least 14 bytes
key of 14 bytes: <nil>
bare MD5 challenge: authentication refused: the peer wants an answer by MD5, which is refused here
MD5 challenge: authentication refused: the peer wants an answer by MD5, which is refused here
bare MD5 answer: authentication refused: the peer answers by MD5, which is refused here
MD5 answer: authentication refused: the peer answers by MD5, which is refused here
sha256: <nil>
sha384: <nil>
sha3_256: <nil>
sha3_384: <nil>
`
	if said != want || status != 0 {
		t.Errorf("status %d, and it prints\n%s\nwant\n%s", status, said, want)
	}
}

// fipsMain does handshakes in the child.
func fipsMain() {
	if !fips140.Enforced() {
		fmt.Println("not enforced: " + os.Getenv("GODEBUG"))
	}
	const key = "fourteen bytes"
	right := answerTo(sha256.New, "{sha256}", key)
	serve := func(frames ...any) error {
		return channel.HandshakeServe(background, &scripted{frames: append(frames, challenge+"{sha256}"+up(40), welcome)}, key, false)
	}
	connect := func(frames ...any) error {
		return channel.HandshakeConnect(background, &scripted{frames: append(frames, welcome, right)}, key, false)
	}
	err := channel.HandshakeConnect(background, &scripted{}, "thirteen byte", false)
	fmt.Println("short key:", err)
	if !errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("that is not errors.ErrUnsupported")
	}
	fmt.Println("key of 14 bytes:", serve(right))
	fmt.Println("bare MD5 challenge:", connect(challenge+up(20)))
	fmt.Println("MD5 challenge:", connect(challenge+"{md5}"+up(40)))
	fmt.Println("bare MD5 answer:", serve(up(16)))
	fmt.Println("MD5 answer:", serve("{md5}"+up(16)))
	for _, name := range []string{"sha256", "sha384", "sha3_256", "sha3_384"} {
		answer := answerTo(digestsOfPython[name], "{"+name+"}", key)
		fmt.Printf("%s: %v\n", name, errors.Join(serve(answer), connect(challenge+"{"+name+"}"+up(40))))
	}
}
