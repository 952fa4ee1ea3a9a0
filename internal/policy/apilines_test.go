package policy_test

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
)

// An apiPrinter writes down what a package exports, one line for each thing
// that a program can name.
type apiPrinter struct {
	pkg   *types.Package
	lines []string
}

// apiLines lists constants, variables, functions, and then types, each with its
// exported fields and methods; within those, in alphabetical order.
func apiLines(pkg *types.Package) []string {
	p := &apiPrinter{pkg: pkg}
	scope := pkg.Scope()
	for _, list := range []func(types.Object){p.constant, p.variable, p.function, p.typeName} {
		for _, name := range scope.Names() { // sorted
			if object := scope.Lookup(name); object.Exported() {
				list(object)
			}
		}
	}
	return p.lines
}

func (p *apiPrinter) add(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

// qualify leaves our own names bare and others with the name of their package.
func (p *apiPrinter) qualify(other *types.Package) string {
	if other == p.pkg {
		return ""
	}
	return other.Name()
}

func (p *apiPrinter) text(t types.Type) string { return types.TypeString(t, p.qualify) }

func (p *apiPrinter) signature(t types.Type) string {
	return strings.TrimPrefix(p.text(t), "func")
}

func (p *apiPrinter) constant(object types.Object) {
	if c, ok := object.(*types.Const); ok {
		p.add("const %s %s = %s", c.Name(), p.text(c.Type()), c.Val().ExactString())
	}
}

func (p *apiPrinter) variable(object types.Object) {
	if v, ok := object.(*types.Var); ok {
		p.add("var %s %s", v.Name(), p.text(v.Type()))
	}
}

func (p *apiPrinter) function(object types.Object) {
	if f, ok := object.(*types.Func); ok {
		p.add("func %s%s", f.Name(), p.signature(f.Type()))
	}
}

func (p *apiPrinter) typeName(object types.Object) {
	name, ok := object.(*types.TypeName)
	if !ok {
		return
	}
	if alias, ok := name.Type().(*types.Alias); ok {
		p.add("type %s = %s", p.text(alias), p.text(alias.Rhs()))
		return
	}
	named := name.Type().(*types.Named)
	declared, short := p.text(named), shortName(named)
	switch under := named.Underlying().(type) {
	case *types.Struct:
		p.add("type %s struct", declared)
		lines := p.fields(short, under, map[*types.Struct]bool{})
		slices.Sort(lines)
		p.lines = append(p.lines, slices.Compact(lines)...)
	case *types.Interface:
		p.add("type %s interface%s", declared, p.interfaceBody(under))
		return // its methods are in the line
	default:
		p.add("type %s %s", declared, p.text(under))
	}
	p.methods(short, named)
}

// shortName names a generic type by its parameters without their constraints,
// as a receiver does.
func shortName(named *types.Named) string {
	parameters := named.TypeParams()
	if parameters.Len() == 0 {
		return named.Obj().Name()
	}
	var names []string
	for parameter := range parameters.TypeParams() {
		names = append(names, parameter.Obj().Name())
	}
	return named.Obj().Name() + "[" + strings.Join(names, ", ") + "]"
}

// fields follows embedded unexported structs, whose exported fields a user
// reaches as if they were declared in the outer struct.
func (p *apiPrinter) fields(owner string, st *types.Struct, seen map[*types.Struct]bool) []string {
	if seen[st] {
		return nil
	}
	seen[st] = true
	var lines []string
	for field := range st.Fields() {
		switch {
		case field.Exported() && field.Embedded():
			lines = append(lines, fmt.Sprintf("field %s.%s (embedded) %s", owner, field.Name(), p.text(field.Type())))
		case field.Exported():
			lines = append(lines, fmt.Sprintf("field %s.%s %s", owner, field.Name(), p.text(field.Type())))
		case field.Embedded():
			t := field.Type()
			if pointer, ok := t.Underlying().(*types.Pointer); ok {
				t = pointer.Elem()
			}
			if inner, ok := t.Underlying().(*types.Struct); ok {
				lines = append(lines, p.fields(owner, inner, seen)...)
			}
		}
	}
	return lines
}

// methods lists the method set, which holds the promoted methods too. A
// pointer receiver is shown where a value does not have the method.
func (p *apiPrinter) methods(owner string, named *types.Named) {
	ofValue := types.NewMethodSet(named)
	for method := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		object := method.Obj()
		if !object.Exported() {
			continue
		}
		receiver := owner
		if ofValue.Lookup(object.Pkg(), object.Name()) == nil {
			receiver = "*" + owner
		}
		p.add("method (%s) %s%s", receiver, object.Name(), p.signature(method.Type()))
	}
}

// interfaceBody hides the names of unexported methods but not that there are
// some: they decide whether others can implement the interface.
func (p *apiPrinter) interfaceBody(i *types.Interface) string {
	var exported, rest []string
	for method := range i.ExplicitMethods() {
		if method.Exported() {
			exported = append(exported, method.Name()+p.signature(method.Type()))
		} else if len(rest) == 0 {
			rest = append(rest, "unexported methods")
		}
	}
	for embedded := range i.EmbeddedTypes() {
		rest = append(rest, p.text(embedded))
	}
	parts := append(exported, rest...)
	if len(parts) == 0 {
		return "{}"
	}
	return " { " + strings.Join(parts, "; ") + " }"
}
