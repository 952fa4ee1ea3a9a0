package file_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// walked returns what a walk yields, as lines: the path, its type, and the cause of an error.
func walked(t testing.TB, w file.Walker, root string) (lines []string) {
	t.Helper()
	for e, err := range w.Walk(background, root) {
		lines = append(lines, line(e.Path(), e.Type(), err))
	}
	return lines
}

func line(path string, typ fs.FileMode, err error) string {
	text := path + " " + typ.String()[:1]
	var e *fs.PathError
	if errors.As(err, &e) {
		text += " " + e.Err.Error()
	} else if err != nil {
		text += " not a PathError: " + err.Error()
	}
	return text
}

// randomTree makes a tree of all kinds of entries.
func randomTree(t testing.TB, dir string, r *rand.Rand, depth int) {
	for i := range r.IntN(7) {
		name := in(dir, fmt.Sprintf("%c%d", "azAZ.\\é"[r.IntN(7)], i))
		switch r.IntN(6) {
		case 0:
			check(t, os.Symlink([]string{"..", "nowhere", "/"}[r.IntN(3)], name))
		case 1:
			check(t, syscall.Mkfifo(name, 0o600))
		case 2, 3:
			write(t, name, "")
		default:
			check(t, os.Mkdir(name, 0o755))
			if depth > 0 {
				randomTree(t, name, r, depth-1)
			}
		}
	}
}

// It yields the same in the same order as filepath.WalkDir, and follows no links.
func TestWalk(t *testing.T) {
	testutil.NoLeaks(t)
	for seed := range uint64(20) {
		dir := memory(t)
		randomTree(t, dir, rand.New(rand.NewPCG(seed, 0)), 5)
		for _, root := range []string{dir, dir + "/", dir + "/."} {
			var want []string
			check(t, filepath.WalkDir(filepath.Clean(root), func(path string, d fs.DirEntry, err error) error {
				rest := strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")
				switch {
				case rest == "":
					path = root
				case strings.HasSuffix(root, "/"):
					path = root + rest
				default:
					path = root + "/" + rest
				}
				want = append(want, line(path, d.Type(), err))
				return nil
			}))
			if got := walked(t, file.Walker{}, root); !slices.Equal(got, want) {
				t.Fatalf("tree %d:\n%s\nwant\n%s", seed, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

func TestWalkRoots(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, in(dir, "f"), "")
	check(t, os.Symlink("f", in(dir, "link")))
	check(t, os.Symlink(".", in(dir, "here")))
	for root, want := range map[string][]string{
		in(dir, "f"):       {in(dir, "f") + " -"},
		in(dir, "link"):    {in(dir, "link") + " L"},
		in(dir, "here"):    {in(dir, "here") + " L"},
		in(dir, "missing"): {in(dir, "missing") + " - no such file or directory"},
		"":                 {" - no such file or directory"},
	} {
		if got := walked(t, file.Walker{}, root); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", root, got, want)
		}
	}
	t.Chdir(dir)
	if got, want := walked(t, file.Walker{}, "."), []string{". d", "./f -", "./here L", "./link L"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for e := range file.Walk(background, ".") {
		if e.Name() != filepath.Base(e.Path()) {
			t.Errorf("%q is called %q", e.Path(), e.Name())
		}
	}
	for e := range file.Walk(background, "/") {
		if e.Path() != "/" && !strings.HasPrefix(e.Path(), "/"+e.Name()) || e.Name() == "" {
			t.Errorf("%q is called %q", e.Path(), e.Name())
		}
		if e.Path() != "/" {
			e.Skip()
		}
	}
}

func TestWalkSkipAndBreak(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	for _, path := range []string{"a/1", "b/2/3", "c/4"} {
		check(t, os.MkdirAll(in(dir, path), 0o755))
	}
	before := len(testutil.Descriptors(os.Getpid()))
	var got []string
	seq := file.Walk(background, dir)
	for range 2 { // it may be repeated
		got = nil
		for e, err := range seq {
			check(t, err)
			got = append(got, strings.TrimPrefix(e.Path(), dir))
			switch e.Name() {
			case "b":
				e.Skip()
			case "c":
			}
			if e.Name() == "4" {
				break
			}
		}
		testutil.NoMoreDescriptors(t, before)
	}
	if want := []string{"", "/a", "/a/1", "/b", "/c", "/c/4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for e := range file.Walk(background, dir) {
		e.Skip()
		if e.Path() != dir {
			t.Errorf("%s after the root was skipped", e.Path())
		}
	}
}

// Entries that vanish while the walk is on are passed over, and so is what is not a folder any more; no
// link is followed that has taken its place (trap 41).
func TestWalkVanishing(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	outside := memory(t)
	write(t, in(outside, "secret"), "")
	for _, path := range []string{"a/1", "b/1", "c/1", "d"} {
		check(t, os.MkdirAll(in(dir, path), 0o755))
	}
	write(t, in(dir, "e"), "")
	var got []string
	for e, err := range file.Walk(background, dir) {
		check(t, err)
		got = append(got, strings.TrimPrefix(e.Path(), dir))
		switch e.Path() {
		case dir + "/a":
			check(t, os.RemoveAll(in(dir, "a")))
			check(t, os.RemoveAll(in(dir, "e")))
			check(t, os.RemoveAll(in(dir, "b")))
			check(t, os.Symlink(outside, in(dir, "b")))
		case dir + "/c":
			check(t, os.RemoveAll(in(dir, "c")))
			write(t, in(dir, "c"), "")
		case dir + "/e":
			_, err := e.Info(background)
			want(t, err, fs.ErrNotExist)
		}
	}
	if want := []string{"", "/a", "/b", "/c", "/d", "/e"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A folder that fails is stopped at its first error, which is told; the walk goes on (trap 40).
func TestWalkErrors(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	for _, path := range []string{"a/1", "b/2", "c/3"} {
		check(t, os.MkdirAll(in(dir, path), 0o755))
	}
	faulty(t, func(call, name string) error {
		if call == "opendir" && name == "b" {
			return syscall.EACCES
		}
		return nil
	})
	want := []string{dir + " d", dir + "/a d", dir + "/a/1 d", dir + "/b d", dir + "/b d permission denied", dir + "/c d", dir + "/c/3 d"}
	if got := walked(t, file.Walker{}, dir); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	lists := 0
	faulty(t, func(call, _ string) error {
		if call == "readdir" {
			if lists++; lists == 2 { // the root's second piece, where it would find the end
				return syscall.EIO
			}
		}
		return nil
	})
	if got := walked(t, file.Walker{}, dir); !slices.Contains(got, dir+" d input/output error") || len(got) < 2 {
		t.Errorf("%q", got)
	}
}

// With FollowLinks it goes into folders behind links, once on each way, and finds loops (trap 42).
func TestWalkFollows(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(in(dir, "tree/a/b"), 0o755))
	check(t, os.MkdirAll(in(dir, "other/x"), 0o755))
	write(t, in(dir, "other/f"), "")
	for name, to := range map[string]string{
		"tree/a/b/up": "../../a", "tree/a/root": dir + "/tree", "tree/elsewhere": "../other", "tree/file": "../other/f",
		"tree/nowhere": "nothing", "tree/again": "../other", "top": "tree", "tree/self": "self",
	} {
		check(t, os.Symlink(to, in(dir, name)))
	}
	got := walked(t, file.Walker{FollowLinks: true}, in(dir, "top"))
	for i, l := range got {
		got[i] = strings.TrimPrefix(l, in(dir, "top"))
	}
	loop, self := " L "+syscall.ELOOP.Error(), " L "+syscall.ELOOP.Error()
	if want := []string{
		" d", "/a d", "/a/b d", "/a/b/up L", "/a/b/up" + loop, "/a/root L", "/a/root" + loop,
		"/again L", "/again/f -", "/again/x d", "/elsewhere L", "/elsewhere/f -", "/elsewhere/x d",
		"/file L", "/nowhere L", "/self L", "/self" + self,
	}; !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

// comb makes a chain of n folders, each with two more folders beside the next one of the chain.
func comb(t testing.TB, dir string, n int) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	for range n {
		check(t, root.Mkdir("a", 0o755))
		check(t, root.Mkdir("m", 0o755))
		check(t, root.Mkdir("z", 0o755))
		next, err := root.OpenRoot("m")
		check(t, err)
		root.Close()
		root = next
	}
	root.Close()
}

// Trees are walked that are deeper than any path may be long, with few open descriptors, and in a time
// that grows as they do (trap 42).
func TestWalkDeep(t *testing.T) {
	testutil.NoLeaks(t)
	opened := func(n int) (opens int64) {
		dir := memory(t)
		comb(t, dir, n)
		var count atomic.Int64
		faulty(t, func(call, _ string) error {
			if call == "openat" {
				count.Add(1)
			}
			return nil
		})
		before, most := len(testutil.Descriptors(os.Getpid())), 0
		entries, deepest := 0, (*file.Entry)(nil)
		for e, err := range file.Walk(background, dir) {
			check(t, err)
			if entries++; entries%50 == 0 {
				most = max(most, len(testutil.Descriptors(os.Getpid()))-before)
			}
			if e.Name() == "z" && deepest == nil {
				deepest = e
			}
		}
		if entries != 3*n+1 || most > file.MostOpen+2 {
			t.Errorf("%d levels: %d entries, up to %d folders open", n, entries, most)
		}
		if path := deepest.Path(); len(path) < 2*n {
			t.Errorf("the path has %d bytes", len(path))
		}
		info, err := deepest.Info(background)
		if err != nil || !info.IsDir() {
			t.Errorf("Info: %v, %v", info, err)
		}
		opens = count.Load()
		check(t, file.RemoveAll(background, dir))
		return opens
	}
	few, many := opened(250), opened(2100)
	t.Logf("opens: %d for 250 levels, %d for 2100", few, many)
	if many > 12*few {
		t.Errorf("250 levels took %d opens, and 2100 took %d", few, many)
	}
}

// A folder that was moved away while it was closed is not taken for the one in its place.
func TestWalkReplaced(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	comb(t, dir, 3*file.MostOpen)
	replaced, failed := false, 0
	for e, err := range file.Walk(background, dir) {
		if err != nil {
			failed++
			if !strings.Contains(err.Error(), "replaced it") {
				t.Error(err)
			}
		}
		if !replaced && e.Name() == "z" { // the deepest one
			replaced = true
			for _, level := range []string{"m/m", "m"} {
				check(t, os.Rename(in(dir, level), in(dir, "gone"+strings.ReplaceAll(level, "/", ""))))
			}
			check(t, os.MkdirAll(in(dir, "m/z/wrong"), 0o755))
			check(t, os.MkdirAll(in(dir, "m/m/z/wrong"), 0o755))
		}
		if e.Name() == "wrong" {
			t.Errorf("%s was not there", e.Path())
		}
	}
	t.Logf("%d folders could not be opened again", failed)
}

// A walk that is cut short while a folder is being read ends, and the worker closes what is open.
func TestWalkCancelled(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	comb(t, dir, 10)
	before := len(testutil.Descriptors(os.Getpid()))
	for n := range int64(25) {
		s := stalledAt(t, "opendir", n+1)
		last := ""
		err := cutShort(t, s, func(ctx context.Context) (failed error) {
			for e, err := range file.Walk(ctx, dir) {
				if failed != nil {
					t.Errorf("%s after the end", e.Path())
				}
				last, failed = e.Path(), err
			}
			return failed
		})
		want(t, err, context.Canceled)
		var path *fs.PathError
		if !errors.As(err, &path) || path.Path != last || path.Op != "readdir" {
			t.Errorf("%v does not name %s", err, last)
		}
		s.goOn()
		workersEnd(t)
		testutil.NoMoreDescriptors(t, before)
	}
}

// So does one whose context ends at any moment.
func TestWalkRace(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	comb(t, dir, 2*file.MostOpen)
	for range testutil.Times(300) {
		ctx, cancel := context.WithCancel(background)
		stop := rand.IntN(300)
		n := 0
		for _, err := range file.Walk(ctx, dir) {
			if n++; n == stop {
				go cancel()
			}
			if err != nil {
				want(t, err, context.Canceled)
			}
		}
		cancel()
	}
	workersEnd(t)
}

// Entries may be used by other tasks while the walk goes on.
func TestWalkInTasks(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	comb(t, dir, 50)
	var infos atomic.Int64
	check(t, curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			for e, err := range file.Walk(ctx, dir) {
				if err != nil {
					return err
				}
				if _, err := g.GoWait(ctx, func(ctx context.Context) error {
					info, err := e.Info(ctx)
					if err == nil && info.IsDir() {
						infos.Add(1)
					}
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		}, curio.Limit(4))
	}))
	if infos.Load() != 151 {
		t.Errorf("%d infos", infos.Load())
	}
}
