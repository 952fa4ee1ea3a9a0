package gobs_test

import (
	"bytes"
	"encoding/gob"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/curio-go/curio/internal/gobs"
)

type (
	empty      struct{}
	list       struct{ Next *list }
	forest     map[string]forest
	unexported struct {
		A int
		b string
	}
	hidden struct{ mu sync.Mutex }
	deep   struct {
		In []map[string]struct{ Done chan int }
	}
	embedding struct{ base }
	base      struct{ A int }
	Exported  struct{ A int }
	embedded  struct{ Exported }
	padded    struct {
		_ [0]func()
		A int
	}
	optional struct{ Verbose *bool }
	own      struct{ n *int } // with methods below
	half     struct{ n int }  // only encodes
	mixed    struct{ n int }  // encodes by one pair, decodes by the other
	byPtr    struct{ n int }  // its methods have pointer receivers
	circle   *circle
	dated    struct { // is sent as a time.Time, and its name is lost
		time.Time
		Name string
	}
	linked struct {
		Name string
		*url.URL
	}
	wrapped struct{ time.Time }
	redated struct { // has methods of its own, one of them with a pointer receiver
		time.Time
		Name string
	}
	generic[T any] struct {
		time.Time
		Value T
	}
	gobbing interface {
		gob.GobEncoder
		gob.GobDecoder
	}
)

func (o own) GobEncode() ([]byte, error) { return []byte("own"), nil }
func (o *own) GobDecode([]byte) error    { return nil }
func (h *hidden) lock()                  { h.mu.Lock() }

type genericDated[T any] struct {
	time.Time
	Value T
}

func (redated) GobEncode() ([]byte, error)    { return nil, nil }
func (*redated) GobDecode([]byte) error       { return nil }
func (generic[T]) GobEncode() ([]byte, error) { return nil, nil }
func (*generic[T]) GobDecode([]byte) error    { return nil }

func (h half) GobEncode() ([]byte, error)     { return []byte{byte(h.n)}, nil }
func (m mixed) GobEncode() ([]byte, error)    { return []byte{byte(m.n)}, nil }
func (m *mixed) UnmarshalBinary([]byte) error { return nil }
func (p *byPtr) MarshalBinary() ([]byte, error) {
	return []byte{byte(p.n)}, nil
}

func (p *byPtr) UnmarshalBinary(b []byte) error {
	p.n = int(b[0])
	return nil
}

// keep keeps go vet from complaining about what is there to be refused.
var _ = []any{unexported{}.b, (*hidden).lock, embedding{}.A, (*own)(nil), new(own).n}

// What would not arrive is refused, with a sentence that says where and why.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		of   reflect.Type
		want string // part of the error, "" for none
	}{
		{reflect.TypeFor[int](), ""},
		{reflect.TypeFor[uintptr](), ""},
		{reflect.TypeFor[complex64](), ""},
		{reflect.TypeFor[any](), ""},
		{reflect.TypeFor[error](), ""},
		{reflect.TypeFor[empty](), ""},
		{reflect.TypeFor[[]byte](), ""},
		{reflect.TypeFor[*list](), ""},
		{reflect.TypeFor[forest](), ""},
		{reflect.TypeFor[embedded](), ""},
		{reflect.TypeFor[padded](), ""},
		{reflect.TypeFor[own](), ""},
		{reflect.TypeFor[struct{ T *time.Time }](), ""},
		{reflect.TypeFor[struct{ B byPtr }](), ""},
		{reflect.TypeFor[[]byPtr](), ""},
		{reflect.TypeFor[map[string]*byPtr](), ""},
		{reflect.TypeFor[map[string][]byPtr](), ""},
		{reflect.TypeFor[map[netip.Addr]big.Int](), "big.Int"},
		{reflect.TypeFor[[]*int](), ""},
		{reflect.TypeFor[struct{ A *[3]int }](), ""},
		{reflect.TypeFor[url.URL](), ""},
		{reflect.TypeFor[wrapped](), ""},
		{reflect.TypeFor[redated](), ""},
		{reflect.TypeFor[generic[int]](), ""},
		{reflect.TypeFor[generic[[]string]](), ""},

		{nil, "a nil interface has no type"},
		{reflect.TypeFor[func()](), "func(): a value of type func() cannot be sent"},
		{reflect.TypeFor[chan int](), "cannot be sent"},
		{reflect.TypeFor[unsafe.Pointer](), "cannot be sent"},
		{reflect.TypeFor[map[string]func()](), "map[string]func()[]: a value of type func() cannot be sent"},
		{reflect.TypeFor[unexported](), "gobs_test.unexported.b: a field that is not exported would be lost"},
		{reflect.TypeFor[hidden](), "hidden.mu: a field that is not exported"},
		{reflect.TypeFor[deep](), "gobs_test.deep.In[][].Done: a value of type chan int cannot be sent"},
		{reflect.TypeFor[embedding](), "embedding.base: a field that is not exported"},
		{reflect.TypeFor[struct{ _ int }](), "no exported fields"},
		{reflect.TypeFor[optional](), "optional.Verbose: a *bool that points to a zero value would arrive as nil"},
		{reflect.TypeFor[struct{ P *[]int }](), "a *[]int that points"},
		{reflect.TypeFor[struct{ P **list }](), ".P: of a pointer to a pointer"},
		{reflect.TypeFor[**list](), "of a pointer to a pointer"},
		{reflect.TypeFor[circle](), "of a pointer to a pointer"},
		{reflect.TypeFor[half](), "encoded by GobEncode, but decoded by its fields"},
		{reflect.TypeFor[[]mixed](), "encoded by GobEncode, but decoded by UnmarshalBinary"},
		{reflect.TypeFor[map[string]byPtr](), "MarshalBinary of *gobs_test.byPtr needs the value's address"},
		{reflect.TypeFor[map[byPtr]int](), "[key]: MarshalBinary"},
		{reflect.TypeFor[dated](), "dated has GobEncode and GobDecode from a field that is embedded: the other fields would be lost"},
		{reflect.TypeFor[genericDated[int]](), "from a field that is embedded"},
		{reflect.TypeFor[map[string]linked](), "linked has MarshalBinary and UnmarshalBinary from"},
		{reflect.TypeFor[struct {
			time.Time
			Name string
		}](), "from a field that is embedded"},
		{reflect.TypeFor[struct{ G gobbing }](), "which type to decode into is not known"},
	} {
		err := gobs.Check(test.of)
		switch {
		case err == nil && test.want != "":
			t.Errorf("%v is accepted, want an error with %q", test.of, test.want)
		case err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%v: %v, want %q", test.of, err, test.want)
		}
	}
}

// What Check says of gob is so: for each rule, gob loses what is refused, or fails.
func TestCheckIsNotTooStrict(t *testing.T) {
	yes := false
	var arrived optional
	if check(t, plainTrip(&optional{&yes}, &arrived)); arrived.Verbose != nil {
		t.Error("gob keeps a pointer to false: it need not be refused")
	}
	var exported unexported
	if check(t, plainTrip(&unexported{1, "lost"}, &exported)); exported.b != "" {
		t.Error("gob keeps fields that are not exported")
	}
	for _, v := range []any{embedding{base{1}}, map[string]byPtr{"": {1}}, struct{ P **list }{new(*list)}, half{1}, []mixed{{1}}, dated{time.Now(), "lost"}} {
		into := reflect.New(reflect.TypeOf(v))
		if err := plainTrip(v, into.Interface()); err == nil && reflect.DeepEqual(into.Elem().Interface(), v) {
			t.Errorf("gob keeps %T: it need not be refused", v)
		}
	}
}

// plainTrip sends a value with gob alone.
func plainTrip(v, into any) error {
	var wire bytes.Buffer
	if err := gob.NewEncoder(&wire).Encode(v); err != nil {
		return err
	}
	return gob.NewDecoder(&wire).Decode(into)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
