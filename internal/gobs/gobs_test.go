package gobs_test

import (
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/testutil"
)

// A link is both ends of a connection.
type link struct {
	gobs.Encoder
	gobs.Decoder
}

func (l *link) send(t testing.TB, v any) []byte {
	t.Helper()
	msg, err := l.Encode(v)
	check(t, err)
	return msg
}

// trip sends a value and returns what arrives, as a value of the same type.
func (l *link) trip(t testing.TB, v any) any {
	t.Helper()
	variable := reflect.New(reflect.TypeOf(v))
	variable.Elem().Set(reflect.ValueOf(v))
	into := reflect.New(reflect.TypeOf(v))
	check(t, l.Decode(l.send(t, variable.Interface()), into.Interface()))
	return into.Elem().Interface()
}

type (
	shape struct {
		Name  string
		Inner []*shape
		Any   any
		Sizes map[string]int
		Raw   []byte
		F     float64
		When  time.Time
		Array [3]int
		C     complex128
		Twin  []item
		Other []item
	}
	item struct {
		N int
		M map[int]int
		V any
	}
	celsius  float64
	triple   [3]any
	grid     [2][2]any
	notKnown struct{ A int }
)

func init() {
	for _, v := range []any{&shape{}, item{}, map[string]any{}, []any{}, celsius(0), triple{}, grid{}, big.NewInt(0), [2]big.Word{}} {
		gob.Register(v)
	}
}

func someShape() *shape {
	return &shape{
		Name: "outer", Inner: []*shape{{Name: "inner", Sizes: map[string]int{}}, {}},
		Any:   map[string]any{"list": []any{1, "two", nil, item{N: 4}, map[string]any{"x": 5.5}}, "shape": &shape{Any: 7}},
		Sizes: map[string]int{"a": 1, "b": -2}, Raw: []byte{0, 1, 2}, F: math.Inf(-1),
		When: time.Date(2026, 12, 1, 3, 4, 5, 6, time.UTC), Array: [3]int{1, 0, 3}, C: 1 + 2i,
		Twin: []item{{1, map[int]int{1: 2}, "v"}}, Other: []item{{}, {2, nil, item{V: celsius(3)}}},
	}
}

// Whatever Check accepts arrives as it was, whether its types are new to the connection or not.
func TestRoundTrip(t *testing.T) {
	var l link
	var nothing any
	values := []any{
		0, -1, int64(math.MinInt64), uint64(math.MaxUint64), true, "", "text", 1.5, 3i, []byte("bytes"),
		[2]bool{true, false},
		[]int{0, 0},
		[]string{"", "b"},
		map[string]int{"zero": 0},
		struct{}{},
		empty{},
		padded{A: 1},
		embedded{Exported{2}},
		celsius(-3), time.Unix(1, 2).UTC(), *someShape(), someShape(),
		item{},
		(*item)(nil),
		list{&list{&list{}}},
		forest{"a": {"b": {}}},
		[]*int{new(int)},
		map[string]*item{"": {}},
		own{},
		[]byPtr{{1}, {2}},
		byPtr{3},
		map[string]any{"big": big.NewInt(1 << 40)},
		triple{1, nil, triple{}},
		grid{{1, nil}, {nil, "x"}},
		[]any{[2]big.Word{1, 2}},
		map[string]any{"a": nil},
		[]map[string][]any{{"x": {nil, 1, []any{}[:0:0]}}},
	}
	for range 3 {
		for _, v := range values {
			if got := l.trip(t, v); !reflect.DeepEqual(got, v) && fmt.Sprint(got) != fmt.Sprint(v) {
				t.Errorf("%T: %#v arrives as %#v", v, v, got)
			}
		}
		if got := l.tripAny(t, &nothing); got != nil {
			t.Errorf("nil arrives as %v", got)
		}
	}
	var by byPtr // by value, which has no address
	if check(t, l.Decode(l.send(t, byPtr{3}), &by)); by.n != 3 {
		t.Errorf("%+v", by)
	}
	var some any = item{N: 1}
	if got := l.tripAny(t, &some); !reflect.DeepEqual(got, some) {
		t.Errorf("%v arrives as %v", some, got)
	}
}

// tripAny sends what is in an interface, together with its type.
func (l *link) tripAny(t *testing.T, v *any) (got any) {
	t.Helper()
	got = "something else"
	check(t, l.Decode(l.send(t, v), &got))
	return got
}

// Zero fields are not sent, and nothing of what was in the variable is left (traps 6).
func TestNothingIsLeftOfBefore(t *testing.T) {
	var l link
	into := item{7, map[int]int{1: 1}, "old"}
	check(t, l.Decode(l.send(t, item{}), &into))
	if !reflect.DeepEqual(into, item{}) {
		t.Errorf("%+v is left", into)
	}
	// And if it fails, all of it is left.
	into.N = 7
	msg := l.send(t, &item{N: 8, M: map[int]int{1: 1}})
	if err := l.Decode(msg[:len(msg)-1], &into); err == nil || into.N != 7 {
		t.Errorf("half a message: %v, %+v", err, into)
	}
}

// A value that fails half-way leaves nothing half: the error says what and where, the next message begins
// a new table, and all that follows arrives (traps 79, bpo-31699).
func TestEncodeFails(t *testing.T) {
	itself := map[string]any{}
	itself["self"] = []any{itself}
	ring := &list{}
	ring.Next = &list{ring}
	long := &list{}
	for range 20000 {
		long = &list{long}
	}
	boom := errors.New("boom")
	for _, test := range []struct {
		value any
		want  []string
	}{
		{nil, []string{"a nil interface has no type"}},
		{make(chan int), []string{"cannot be sent"}},
		{[]any{1, item{V: notKnown{1}}}, []string{"[1].V: ", "gobs_test.notKnown", "gob.Register"}},
		{[]any{1, &unexported{}}, []string{"[1]: ", "unexported.b: a field that is not exported would be lost"}},
		{map[string]any{"f": func() {}}, []string{`["f"]: func(): `, "cannot be sent"}},
		{map[string]any{"p": (*item)(nil)}, []string{`["p"]: a nil *gobs_test.item in an interface cannot be sent`}},
		{map[string]any{"p": big.Int{}}, []string{"needs the value's address"}},
		{[]*item{{}, nil}, []string{"[1]: a nil pointer in a slice"}},
		{shape{Inner: []*shape{{Inner: []*shape{nil}}}}, []string{".Inner[0].Inner[0]: a nil pointer"}},
		{map[int]*item{5: nil}, []string{"[5]: a nil pointer"}},
		{new(**int), []string{"pointer to a pointer"}},
		{itself, []string{"contains itself"}},
		{ring, []string{"a value of type *gobs_test.list contains itself"}},
		{long, []string{"nested more than 10000 deep"}},
		{unruly{fail: boom}, []string{"boom"}},
		{unruly{panics: true}, []string{"panic: what a value"}},
		{unruly{exits: true}, []string{"runtime.Goexit"}},
		{[]any{1, unruly{exits: true}}, []string{"runtime.Goexit"}},
	} {
		var l link
		first := l.trip(t, item{N: 1}).(item)
		_, err := l.Encode(test.value)
		if err == nil {
			t.Errorf("%T: no error", test.value)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%T: %v, want %q", test.value, err, part)
			}
		}
		if u, ok := test.value.(unruly); ok && u.fail != nil && !errors.Is(err, boom) {
			t.Errorf("%v is not the method's error", err)
		}
		if second := l.trip(t, item{N: 2}).(item); first.N != 1 || second.N != 2 {
			t.Errorf("%T: the next message is %v", test.value, second)
		}
		l.trip(t, *someShape())
	}
}

// An unruly value has methods that do not return.
type unruly struct {
	fail          error
	panics, exits bool
}

func init() { gob.Register(unruly{}) }

func (u unruly) GobEncode() ([]byte, error) {
	switch {
	case u.panics:
		panic("what a value")
	case u.exits:
		runtime.Goexit()
	}
	return []byte{1}, u.fail
}

var decodes func() error

func (u *unruly) GobDecode([]byte) error { return decodes() }

// A method that fails, panics or does not return while a value is decoded fails that message alone.
func TestDecodeFails(t *testing.T) {
	var l link
	boom := errors.New("boom")
	for _, test := range []struct {
		does func() error
		want error
	}{
		{func() error { return boom }, boom},
		{func() error { panic(boom) }, boom},
		{func() error { runtime.Goexit(); return nil }, gobs.ErrGoexit},
	} {
		decodes = test.does
		var into unruly
		if err := l.Decode(l.send(t, unruly{}), &into); !errors.Is(err, test.want) {
			t.Errorf("%v, want %v", err, test.want)
		}
		var inside any
		var v any = unruly{}
		if err := l.Decode(l.send(t, &v), &inside); !errors.Is(err, test.want) || inside != nil {
			t.Errorf("%v and %v, want %v", inside, err, test.want)
		}
		decodes = func() error { return nil }
		check(t, l.Decode(l.send(t, unruly{}), &into))
		l.trip(t, *someShape())
	}
	var panicked *gobs.PanicError
	decodes = func() error { panic("what a value") }
	err := l.Decode(l.send(t, unruly{}), new(unruly))
	if !errors.As(err, &panicked) || !strings.Contains(string(panicked.Stack), "GobDecode") {
		t.Errorf("%v has no stack with the method", err)
	}
}

// A message that does not fit the variable is an error, and the types that it has defined are known.
func TestWrongVariable(t *testing.T) {
	var l link
	var number int
	err := l.Decode(l.send(t, *someShape()), &number)
	if err == nil || !strings.Contains(err.Error(), "type int") {
		t.Errorf("a shape as an int: %v", err)
	}
	l.trip(t, *someShape())
	for _, into := range []any{nil, 5, (*int)(nil), item{}} {
		if err := l.Decode(l.send(t, 5), into); err == nil {
			t.Errorf("decoded into %#v", into)
		}
	}
	if err := l.Decode(l.send(t, (*item)(nil)), new(item)); err == nil {
		t.Error("a nil pointer is decoded into a struct")
	}
	if err := l.Decode(l.send(t, 300), new(int8)); err == nil {
		t.Error("300 is decoded into an int8")
	}
}

// A message that was not sent or not decoded is no reason to go on with a table that the other end does
// not have.
func TestTableIsLost(t *testing.T) {
	var l link
	l.send(t, item{N: 1}) // and dropped
	var into item
	if err := l.Decode(l.send(t, item{N: 2}), &into); err == nil {
		t.Error("decoded without its types")
	}
	l.Reset()
	l.trip(t, item{N: 3})
	// The definitions of a type that is new get lost.
	l.send(t, *someShape())
	if err := l.Decode(l.send(t, *someShape()), new(shape)); err == nil {
		t.Error("decoded without its types")
	}
	l.Reset()
	l.trip(t, *someShape())
}

// Fields that only one side has are left out, as with gob.
func TestOtherFields(t *testing.T) {
	type old struct {
		N     int
		Extra map[string][]shape
		V     any
	}
	type young struct {
		N     int
		V     any
		Added []string
	}
	var l link
	into := young{Added: []string{"old"}}
	for range 2 {
		check(t, l.Decode(l.send(t, old{1, map[string][]shape{"x": {*someShape()}}, "v"}), &into))
		if !reflect.DeepEqual(into, young{1, "v", nil}) {
			t.Errorf("%+v", into)
		}
	}
}

// After a large message nothing of its size is kept: not in our buffer, not in gob's, at neither end.
func TestLargeMessagesAreNotKept(t *testing.T) {
	var l link
	const size = 12 << 20
	before := heap()
	func() {
		big := make([]byte, size)
		if got := l.trip(t, big).([]byte); len(got) != size {
			t.Error("it is", len(got), "bytes")
		}
	}()
	if kept := heap() - before; kept > size/2 {
		t.Errorf("%d bytes are kept", kept)
	}
	l.trip(t, *someShape())
	runtime.KeepAlive(&l)
}

// heap is how much memory is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what gob has in a pool
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A small message is encoded with the same encoder, in the same buffer.
func TestTheTableIsKept(t *testing.T) {
	var l link
	first := len(l.send(t, *someShape()))
	if second := len(l.send(t, *someShape())); second > first-200 {
		t.Errorf("%d bytes, then %d: the types are sent again", first, second)
	}
	var v any = item{N: 1}
	first = len(l.send(t, &v))
	if second := len(l.send(t, &v)); second != first {
		t.Errorf("%d bytes, then %d", first, second)
	}
}

// A value nested as deep as is allowed does not overflow a stack, at either end.
func TestDeep(t *testing.T) {
	var l link
	var nested any = 1
	levels := testutil.Times(4900) // each is two, and gob copies what is inside for each
	for range levels {
		nested = []any{nested}
	}
	got := l.tripAny(t, &nested)
	depth := 0
	for ; ; depth++ {
		inner, ok := got.([]any)
		if !ok {
			break
		}
		got = inner[0]
	}
	if depth != levels || got != 1 {
		t.Errorf("%d levels, and in them %v", depth, got)
	}
	long := &list{}
	for range 9900 {
		long = &list{long}
	}
	if got := l.trip(t, long).(*list); !reflect.DeepEqual(got, long) {
		t.Error("another list has arrived")
	}
}

// A variable that does not fit is an error, however often, and costs the connection nothing.
func TestWrongVariableForLong(t *testing.T) {
	var l link
	l.trip(t, *someShape())
	type other struct {
		N int
		M map[int]int
		V string // and not an interface
	}
	for range 20_000 {
		if err := l.Decode(l.send(t, item{}), new(other)); err == nil {
			t.Fatal("decoded")
		}
	}
	l.trip(t, *someShape())
}

// Many values in interfaces, of whatever kind, use up nothing of a connection.
func TestManyInInterfaces(t *testing.T) {
	var l link
	many := make([]any, 10_000)
	for i := range many {
		many[i] = []any{[2]big.Word{1, 2}, big.NewInt(3), [2]big.Word{}, item{N: 4}, [2]big.Word{7}, triple{}}[i%6]
	}
	for range 12 {
		var got []any
		check(t, l.Decode(l.send(t, many), &got))
		if len(got) != len(many) || got[6] != many[6] {
			t.Fatalf("%d have arrived", len(got))
		}
	}
}

// Many types on one connection are defined, and the table begins anew before the other end would refuse it.
func TestManyTypes(t *testing.T) {
	if testutil.Race {
		t.Skip("making thousands of fields takes the race detector long, and there is one goroutine only")
	}
	var l link
	for i := range 450 {
		fields := make([]reflect.StructField, 240)
		for j := range fields {
			fields[j] = reflect.StructField{Name: "F" + wireName(i*1000+j+1), Type: reflect.TypeFor[int]()}
		}
		v := reflect.New(reflect.StructOf(fields))
		v.Elem().Field(7).SetInt(int64(i))
		into := reflect.New(v.Type().Elem())
		check(t, l.Decode(l.send(t, v.Interface()), into.Interface()))
		if got := into.Elem().Field(7).Int(); got != int64(i) {
			t.Fatalf("%d arrives as %d", i, got)
		}
	}
}
