package monitor

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// page is one file, with its style and its script. It gets nothing from elsewhere.
//
//go:embed page.html
var page []byte

// A part of the page that the policy for its content names.
var (
	styles  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	scripts = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// contentPolicy allows exactly the style and the script that are in the page. So whatever the program says of itself, none
// of it is run.
var contentPolicy = sync.OnceValue(func() string {
	return fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; connect-src 'self'; base-uri 'none'; form-action 'none'; "+
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'", hashes(styles), hashes(scripts))
})

func hashes(part *regexp.Regexp) string {
	var list []string
	for _, found := range part.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(found[1])
		list = append(list, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	if list == nil {
		return "'none'"
	}
	return strings.Join(list, " ")
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentPolicy())
	_, _ = w.Write(page) // a client that has gone needs no page
}
