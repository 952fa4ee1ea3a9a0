package gobs_test

import (
	"bytes"
	"encoding/gob"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/testutil"
)

// A wire is a message that is written by hand.
type wire []byte

func (w wire) uint(x uint64) wire {
	if x <= 0x7f {
		return append(w, byte(x))
	}
	var digits []byte
	for ; x > 0; x >>= 8 {
		digits = append([]byte{byte(x)}, digits...)
	}
	return append(append(w, byte(-len(digits))), digits...)
}

func (w wire) int(x int64) wire {
	if x < 0 {
		return w.uint(uint64(^x)<<1 | 1)
	}
	return w.uint(uint64(x) << 1)
}

func (w wire) text(s string) wire { return append(w.uint(uint64(len(s))), s...) }

// message puts the length before a body.
func (w wire) message(body wire) wire { return append(w.uint(uint64(len(body))), body...) }

// The builtin types, and the fields of gob's wireType.
const (
	idInt, idBytes, idString, idInterface = 2, 5, 6, 8
	ofArray, ofSlice, ofStruct, ofMap     = 1, 2, 3, 4
)

// define adds the definition of a type, which has after its name what rest says.
func (w wire) define(id int64, kind uint64, rest func(wire) wire) wire {
	body := wire{}.int(-id).uint(kind).uint(1).uint(2).int(id).uint(0)
	return w.message(rest(body).uint(0).uint(0))
}

func (w wire) slice(id, elem int64) wire {
	return w.define(id, ofSlice, func(w wire) wire { return w.uint(1).int(elem) })
}

func (w wire) mapping(id, key, elem int64) wire {
	return w.define(id, ofMap, func(w wire) wire { return w.uint(1).int(key).uint(1).int(elem) })
}

func (w wire) array(id, elem, length int64) wire {
	return w.define(id, ofArray, func(w wire) wire { return w.uint(1).int(elem).uint(1).int(length) })
}

type field struct {
	name string
	id   int64
}

func (w wire) structure(id int64, fields ...field) wire {
	return w.define(id, ofStruct, func(w wire) wire {
		w = w.uint(1).uint(uint64(len(fields)))
		for _, f := range fields {
			w = w.uint(1).text(f.name).uint(1).int(f.id).uint(0)
		}
		return w
	})
}

// value adds the message with the value, of which body is what follows the type.
func (w wire) value(id int64, body ...byte) wire { return w.message(append(wire{}.int(id), body...)) }

func anew() wire { return wire{1} }

// inside is a value in an interface.
func inside(name string, id int64, body ...byte) wire {
	return wire{}.text(name).int(id).uint(uint64(len(body))).append(body...)
}

func (w wire) append(b ...byte) wire { return append(w, b...) }

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// mostFor is how much memory a message may take. The largest element that the types of these tests have is
// a shape of 250 bytes; for gob's and our tables there is a constant.
func mostFor(msg []byte) uint64 { return 256<<10 + 1024*uint64(len(msg)) }

// variables are what messages are decoded into.
func variables() []any {
	return []any{
		new(shape), new(*shape), new(any), new(map[int]int), new([]string), new([]item), new([][]map[string][]any),
		new([3]int), new(int), new(forest), new(list), new(complex64), new([]byPtr), new([]byte), new(grid),
	}
}

// decodeHostile decodes a message, which may be anything, and fails the test if that takes too much memory.
func decodeHostile(t testing.TB, d *gobs.Decoder, msg []byte, into any) error {
	t.Helper()
	var err error
	if taken := allocated(func() { err = d.Decode(msg, into) }); taken > mostFor(msg) {
		t.Fatalf("%d bytes into a %T take %d bytes of memory (%v): %x", len(msg), into, taken, err, msg)
	}
	return err
}

// 27 bytes that make gob allocate 13.6 GB (traps 5).
func TestTheSmallGiant(t *testing.T) {
	msg := anew().mapping(65, idInt, idInt).value(65, wire{}.uint(0).uint(1<<29)...)
	if len(msg) > 28 {
		t.Errorf("%d bytes: the test has grown", len(msg))
	}
	into := map[int]int{7: 7}
	if err := decodeHostile(t, new(gobs.Decoder), msg, &into); err == nil || into[7] != 7 {
		t.Errorf("%v, %v", err, into)
	}
	// A count that is borne out is none.
	msg = anew().mapping(65, idInt, idInt).value(65, wire{}.uint(0).uint(1).int(1).int(2)...)
	if check(t, decodeHostile(t, new(gobs.Decoder), msg, &into)); into[1] != 2 || len(into) != 1 {
		t.Errorf("%v", into)
	}
}

// Counts and lengths that nothing bears out, and what else a hostile peer may think of.
func TestHostile(t *testing.T) {
	const huge = 1 << 40
	many := func(n int, f func(w wire, i int64) wire) wire {
		w := anew()
		for i := range n {
			w = f(w, int64(i))
		}
		return w
	}
	nested := func(levels int, closed wire) []byte {
		body := wire(bytes.Repeat([]byte{1}, levels))
		return append(body, bytes.Repeat(closed, levels)...)
	}
	for name, test := range map[string]struct {
		msg  wire
		into any
	}{
		"nothing":                       {wire{}, new(int)},
		"flags":                         {wire{4, 3, 4, 0, 6}, new(int)},
		"both flags":                    {wire{3}, new(*int)},
		"nil with something":            {wire{2, 0}, new(*item)},
		"only flags":                    {anew(), new(int)},
		"only definitions":              {anew().slice(65, idInt), new([]int)},
		"trailing bytes":                {anew().value(idInt, 0, 6).append(0), new(int)},
		"trailing bytes inside":         {anew().value(idInt, 0, 6, 0), new(int)},
		"two values":                    {anew().value(idInt, 0, 6).value(idInt, 0, 6), new(int)},
		"length":                        {anew().uint(huge).append(4, 0, 6), new(int)},
		"no length":                     {anew().uint(0), new(int)},
		"length of a number":            {anew().value(idInt, 0, 0x80), new(int)},
		"number cut":                    {anew().value(idInt, 0, 0xf8, 1), new(int)},
		"delta":                         {anew().value(idInt, 1, 6), new(int)},
		"slice":                         {anew().slice(65, idInt).value(65, wire{}.uint(0).uint(huge)...), new([]int)},
		"slice of slices":               {anew().slice(65, 66).slice(66, idInt).value(65, wire{}.uint(0).uint(2).uint(0).uint(1<<20)...), new([][]int)},
		"bytes":                         {anew().value(idBytes, wire{}.uint(0).uint(huge)...), new([]byte)},
		"string":                        {anew().value(idString, wire{}.uint(0).uint(math.MaxUint64)...), new(string)},
		"array":                         {anew().array(65, idInt, huge).value(65, wire{}.uint(0).uint(huge)...), new([3]int)},
		"negative array":                {anew().array(65, idInt, -1).value(65, 0, 0), new([3]int)},
		"ignored map":                   {anew().structure(65, field{"N", idInt}, field{"X", 66}).mapping(66, idInt, idInt).value(65, wire{}.uint(2).uint(huge).uint(0)...), new(item)},
		"map inside":                    {anew().structure(65, field{"M", 66}).mapping(66, idInt, idInt).value(65, wire{}.uint(1).uint(1<<28).uint(0)...), new(item)},
		"struct without end":            {anew().structure(65, field{"N", idInt}).value(65, 1, 2), new(item)},
		"field that is none":            {anew().structure(65, field{"N", idInt}).value(65, 2, 2, 0), new(item)},
		"field far away":                {anew().structure(65, field{"N", idInt}).value(65, wire{}.uint(1).int(1).uint(math.MaxUint64).uint(0)...), new(item)},
		"field twice":                   {anew().structure(65, field{"N", idInt}, field{"N", idInt}).value(65, 0), new(item)},
		"field without name":            {anew().structure(65, field{"", idInt}).value(65, 0), new(item)},
		"number of fields":              {anew().define(65, ofStruct, func(w wire) wire { return w.uint(1).uint(huge) }).value(65, 0), new(item)},
		"type 0":                        {anew().structure(65, field{"N", 0}).value(65, 0), new(item)},
		"element of no type":            {anew().define(65, ofSlice, func(w wire) wire { return w }).value(65, 0, 0), new([]int)},
		"type of gob's own":             {anew().value(16, 0), new(item)},
		"type that is not defined":      {anew().value(77, 0), new(item)},
		"field of no defined type":      {anew().structure(65, field{"X", 77}).value(65, 1, 0), new(item)},
		"type defined twice":            {anew().slice(65, idInt).slice(65, idInt).value(65, 0, 0), new([]int)},
		"type beyond int32":             {anew().slice(1<<31+65, idInt).value(idInt, 0, 2), new(int)},
		"type of two kinds":             {anew().message(wire{}.int(-65).uint(2).uint(2).int(idInt).uint(0).uint(1).uint(0).uint(0)).value(idInt, 0, 2), new(int)},
		"definition with more":          {anew().message(wire{}.int(-65).uint(2).uint(2).int(idInt).uint(0).uint(0).uint(7)).value(idInt, 0, 2), new(int)},
		"definition inside":             {anew().value(idInterface, wire{}.uint(0).text("int").int(-65).append(2, 2, 4, 0, 0)...), new(any)},
		"name that is not known":        {anew().structure(65).value(idInterface, wire{}.uint(0).append(inside("nobody", 65, 0)...)...), new(any)},
		"long name":                     {anew().value(idInterface, wire{}.uint(0).append(inside(strings.Repeat("x", 2000), idInt, 0, 2)...)...), new(any)},
		"wrong length inside":           {anew().value(idInterface, wire{}.uint(0).text("int").int(idInt).uint(1).append(0, 2)...), new(any)},
		"interface inside":              {anew().value(idInterface, wire{}.uint(0).append(inside("int", idInterface, 0, 0)...)...), new(any)},
		"wrong type inside":             {anew().value(idInterface, wire{}.uint(0).append(inside("int", idString, 0, 0)...)...), new(any)},
		"array inside":                  {anew().array(65, idInterface, huge).value(idInterface, wire{}.uint(0).append(inside("github.com/curio-go/curio/internal/gobs_test.triple", 65, wire{}.uint(0).uint(huge)...)...)...), new(any)},
		"deep":                          {anew().structure(65, field{"Next", 65}).value(65, nested(1<<20, wire{0})...), new(list)},
		"deep, ignored":                 {anew().structure(65, field{"N", idInt}, field{"X", 66}).structure(66, field{"Y", 66}).value(65, wire{2}.append(nested(1<<20, wire{0})...).append(0, 0)...), new(item)},
		"many definitions":              {many(100_000, func(w wire, i int64) wire { return w.slice(65+i, idInt) }).value(65, 0, 0), new([]int)},
		"definitions in a row":          {many(20_000, func(w wire, i int64) wire { return w.structure(65+i, field{"Next", 66 + i}) }).structure(20_065, field{"Next", 65}).value(65, 0), new(list)},
		"definitions in a row, ignored": {many(20_000, func(w wire, i int64) wire { return w.slice(65+i, 66+i) }).slice(20_065, idInt).structure(30_000, field{"N", idInt}, field{"X", 65}).value(30_000, 0), new(item)},
	} {
		var d gobs.Decoder
		if err := decodeHostile(t, &d, test.msg, test.into); err == nil {
			t.Errorf("%s: decoded as %v", name, reflect.ValueOf(test.into).Elem())
		} else if len(err.Error()) > 500 || strings.Contains(err.Error(), "panic") {
			t.Errorf("%s: %.500v", name, err)
		}
		// Afterwards it is as good as before.
		var e gobs.Encoder
		msg, err := e.Encode(someShape())
		check(t, err)
		check(t, d.Decode(msg, new(shape)))
	}
}

// Fields that are not here make gob compile their types once more for each of them: a definition must not
// cost its length squared.
func TestIgnoredFieldsAreNotFree(t *testing.T) {
	w := anew()
	const depth, fields = 900, 20_000
	for i := range int64(depth) {
		w = w.slice(65+i, 66+i)
	}
	w = w.slice(65+depth, idInt)
	of := []field{{"N", idInt}}
	for i := range fields {
		of = append(of, field{"X" + string(rune('a'+i%26)) + wireName(i), 65})
	}
	w = w.structure(5000, of...).value(5000, 0)
	if taken := allocated(func() {
		if err := new(gobs.Decoder).Decode(w, new(item)); err == nil {
			t.Error("decoded")
		}
	}); taken > 100<<20 {
		t.Errorf("%d bytes take %d bytes of memory", len(w), taken)
	}
}

func wireName(i int) string {
	name := ""
	for ; i > 0; i /= 26 {
		name += string(rune('a' + i%26))
	}
	return name
}

// gob reads all fields of one type here by the first one's type there. If the types there differ, what
// was checked as bytes would be read as the number of a map's entries.
func TestTwoTypesForOne(t *testing.T) {
	with := func(second wire) wire {
		w := anew().structure(65, field{"Twin", 66}, field{"Other", 67}).slice(66, 68).slice(67, 69)
		w = w.structure(68, field{"M", 70}).mapping(70, idInt, idInt)
		return append(w, second...)
	}
	body := wire{2, 1, 1}.text("\xfc\x10\x00\x00\x00").append(0, 0) // Other: one element, of one field
	msg := with(wire{}.structure(69, field{"Bytes", idBytes})).value(65, body...)
	if err := decodeHostile(t, new(gobs.Decoder), msg, new(shape)); err == nil {
		t.Error("decoded")
	}
	// Types with different names that look the same are no reason to refuse.
	msg = with(wire{}.structure(69, field{"M", 71}).mapping(71, idInt, idInt)).value(65, wire{2, 1, 1, 1}.int(5).int(6).append(0, 0)...)
	var into shape
	if check(t, decodeHostile(t, new(gobs.Decoder), msg, &into)); into.Other[0].M[5] != 6 {
		t.Errorf("%+v", into)
	}
}

// gob cannot skip a nil in an interface: it takes what follows for its type.
func TestIgnoredNil(t *testing.T) {
	w := anew().structure(65, field{"N", idInt}, field{"X", 66}, field{"M", 67}).slice(66, idInterface).mapping(67, idInt, idInt)
	msg := w.value(65, wire{2, 1, 0}.append(1, 0).append(0)...)
	if err := decodeHostile(t, new(gobs.Decoder), msg, new(item)); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("%v", err)
	}
	// What is in one that is not nil is skipped, whatever it is.
	msg = w.value(65, wire{2, 1}.append(inside("nobody", 90, 1, 2, 3)...).append(1, 1).int(5).int(6).append(0)...)
	var into item
	if check(t, decodeHostile(t, new(gobs.Decoder), msg, &into)); into.M[5] != 6 {
		t.Errorf("%+v", into)
	}
}

// Each beginning of a message, and each message with a wrong byte, is decoded in bounded memory, and never
// to the same value with bytes left over.
func TestDamaged(t *testing.T) {
	var e gobs.Encoder
	msg, err := e.Encode(someShape())
	check(t, err)
	for n := range len(msg) {
		if err := decodeHostile(t, new(gobs.Decoder), msg[:n], new(shape)); err == nil {
			t.Errorf("the first %d bytes of %d are decoded", n, len(msg))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range testutil.Times(20_000) {
		damaged := bytes.Clone(msg)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(damaged))
			switch random.IntN(3) {
			case 0:
				damaged[at] = byte(random.Uint32())
			case 1:
				damaged[at] ^= 1 << random.IntN(8)
			case 2:
				damaged = append(damaged[:at], damaged[at+1:]...)
			}
		}
		_ = decodeHostile(t, new(gobs.Decoder), damaged, new(shape))
	}
}

// What a gob.Encoder writes is taken as well, as long as it defines nothing in the middle of a value.
func TestPlainGob(t *testing.T) {
	var b bytes.Buffer
	b.WriteByte(1)
	check(t, gob.NewEncoder(&b).Encode([]item{{N: 5}}))
	var into []item
	if check(t, new(gobs.Decoder).Decode(b.Bytes(), &into)); into[0].N != 5 {
		t.Errorf("%+v", into)
	}
	b.Reset()
	b.WriteByte(1)
	check(t, gob.NewEncoder(&b).Encode([]any{item{N: 5}}))
	if err := new(gobs.Decoder).Decode(b.Bytes(), new([]any)); err == nil {
		t.Error("a value in two pieces is decoded")
	}
}

// The names in a message do not get into a log as they are.
func TestNamesInErrors(t *testing.T) {
	name := "\x1b[2J\n" + strings.Repeat("x", 1000)
	msg := anew().structure(65).value(idInterface, wire{}.uint(0).append(inside(name, 65, 0)...)...)
	err := new(gobs.Decoder).Decode(msg, new(any))
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 500 {
		t.Errorf("%q", err)
	}
}
