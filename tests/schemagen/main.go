// Command schemagen writes src/schema/builtin.txt: the structure of the built-in
// kinds of Kubernetes. How they merge is taken from the schema of client-go's
// apply configurations, which is generated from the API server's own; the types
// that CEL gives their fields, from the definitions and by the function that
// kube-controller-manager type-checks policies with; and the resources that
// they are served under, from a running API server with every API enabled:
//
//	controlplane --kubeconfig /tmp/kubeconfig -- --runtime-config=api/all=true --feature-gates=AllAlpha=true,AllBeta=true &
//	cd tests/schemagen && go run . -kubeconfig /tmp/kubeconfig > ../../src/schema/builtin.txt
//
// The format is described in src/schema/table.rs, which reads it.
//
// With -zero it writes src/defaulting/zero.txt: what the API server
// writes for fields whose value is zero. That takes no API server:
//
//	go run . -zero > ../../src/defaulting/zero.txt
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/openapi"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/structured-merge-diff/v6/schema"

	"portcullis/tests/schemagen/schemas"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "`file` that says where the API server is")
	zero := flag.Bool("zero", false, "write what becomes of fields whose value is zero")
	flag.Parse()
	if *zero {
		writeZero()
		return
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	client := discovery.NewDiscoveryClientForConfigOrDie(config)
	resources, err := discover(client)
	if err != nil {
		log.Fatal(err)
	}
	converter := applyconfigurations.NewTypeConverter(scheme.Scheme)
	resolver := schemas.WithQuantities{SchemaResolver: schemas.Upstream(client)}
	table := &table{known: map[string]int{}, keys: map[int]map[string]bool{}, declared: map[string]int{}}
	var kinds []kind
	for _, gvk := range sorted(scheme.Scheme.AllKnownTypes(), resources) {
		made := kind{gvk: gvk, resource: resources[gvk]}
		var decl *apiservercel.DeclType
		if s, err := resolver.ResolveSchema(gvk); err == nil {
			decl = openapi.SchemaDeclType(s, true)
		}
		stub := &unstructured.Unstructured{}
		stub.SetGroupVersionKind(gvk)
		// What has no schema to merge by is no object of its own: lists, most options, internal versions.
		typed, err := converter.ObjectToTyped(stub)
		switch {
		case err == nil && gvk.Kind != "DeleteOptions":
			table.schema = typed.Schema()
			ref := typed.TypeRef()
			made.merges, made.index = true, table.add(&ref, decl)
		case decl != nil && made.resource != "":
			made.index = table.add(nil, decl)
		default:
			continue
		}
		kinds = append(kinds, made)
	}
	deduced := "__untyped_deduced_"
	kinds = append(kinds, kind{gvk: anyKind, merges: true, index: table.add(&schema.TypeRef{NamedType: &deduced}, nil)})
	write(table, kinds)
}

// anyKind stands for what a value of unknown type merges like.
var anyKind = runtimeschema.GroupVersionKind{Group: "*", Version: "*", Kind: "*"}

// kind is a kind before it is written.
type kind struct {
	gvk runtimeschema.GroupVersionKind
	// merges tells whether the structure to merge by is known.
	merges bool
	// resource is how the API server serves it, if it does: the name, and
	// "cluster" if its objects live in no namespace.
	resource string
	index    int
}

// discover asks the API server for the resources of kinds, without subresources.
func discover(client discovery.DiscoveryInterface) (map[runtimeschema.GroupVersionKind]string, error) {
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	resources := map[runtimeschema.GroupVersionKind]string{}
	for _, list := range lists {
		version, err := runtimeschema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				continue
			}
			if r.SingularName != strings.ToLower(r.Kind) {
				return nil, fmt.Errorf("%s: the singular of %s is %s", list.GroupVersion, r.Kind, r.SingularName)
			}
			resource := r.Name
			if !r.Namespaced {
				resource += " cluster"
			}
			resources[version.WithKind(r.Kind)] = resource
		}
	}
	return resources, nil
}

// sorted makes the output the same each time.
func sorted[T, R any](types map[runtimeschema.GroupVersionKind]T, resources map[runtimeschema.GroupVersionKind]R) []runtimeschema.GroupVersionKind {
	gvks := slices.Collect(maps.Keys(types))
	for gvk := range resources {
		if _, ok := types[gvk]; !ok {
			gvks = append(gvks, gvk)
		}
	}
	sort.Slice(gvks, func(i, j int) bool { return gvks[i].String() < gvks[j].String() })
	return gvks
}

// table numbers the types that kinds are made of.
type table struct {
	schema *schema.Schema
	// known holds the numbers by the two descriptions that a type was made from.
	known map[string]int
	// declared numbers the descriptions for CEL by their content.
	declared map[string]int
	atoms    []entry
	// keys holds the fields that some list of this type is keyed by: only
	// their defaults matter.
	keys map[int]map[string]bool
}

// entry is a type before it is written; the numbers in it are types.
type entry struct {
	scalar      string
	list        string
	listElement int
	listKeys    []string
	mapping     string
	mapElement  int
	fields      []field
	// cel is what CEL makes of the type where the forms above do not tell.
	cel string
	// other is the number of the type that CEL sees in place of this one.
	other int
}

type field struct {
	name      string
	typeIndex int
	value     any
}

// nothing stands for the number of no type.
const nothing = -1

// add numbers the type that merges as ref says and that CEL sees as decl; either
// may be absent.
func (t *table) add(ref *schema.TypeRef, decl *apiservercel.DeclType) int {
	name, inlined := "", false
	if ref != nil {
		inlined = ref.NamedType == nil
		if !inlined {
			name = *ref.NamedType
		}
		if ref.ElementRelationship != nil {
			name += " " + string(*ref.ElementRelationship)
		}
	}
	name += "|" + t.declaration(decl)
	if index, ok := t.known[name]; ok && !inlined {
		return index
	}
	index := len(t.atoms)
	t.atoms = append(t.atoms, entry{})
	if !inlined {
		t.known[name] = index
	}
	t.atoms[index] = t.make(index, ref, decl)
	return index
}

// declaration identifies a type as CEL sees it by its content.
func (t *table) declaration(decl *apiservercel.DeclType) string {
	var text string
	switch {
	case decl == nil:
		return ""
	case decl.IsList():
		text = "[" + t.declaration(decl.ElemType)
	case decl.IsMap():
		text = "<" + t.declaration(decl.ElemType)
	case decl.IsObject():
		names := make([]string, 0, len(decl.Fields))
		for name, field := range decl.Fields {
			names = append(names, name+":"+t.declaration(field.Type))
		}
		sort.Strings(names)
		text = "{" + strings.Join(names, " ")
	default:
		text = decl.TypeName()
	}
	if _, ok := t.declared[text]; !ok {
		t.declared[text] = len(t.declared)
	}
	return strconv.Itoa(t.declared[text])
}

func (t *table) make(index int, ref *schema.TypeRef, decl *apiservercel.DeclType) entry {
	made := entry{listElement: nothing, mapElement: nothing, other: nothing}
	var atom schema.Atom
	if ref != nil {
		var ok bool
		if atom, ok = t.schema.Resolve(*ref); !ok {
			log.Fatalf("no such type: %v", ref)
		}
	} else if decl != nil {
		// Nobody merges by it: any forms do that CEL understands.
		made.declare(t, decl)
		return made
	}
	isList := decl != nil && decl.IsList() && atom.List != nil
	isMap := decl != nil && decl.IsMap() && atom.Map != nil && len(atom.Map.Fields) == 0
	isObject := decl != nil && decl.IsObject() && atom.Map != nil
	if atom.Scalar != nil {
		made.scalar = map[schema.Scalar]string{
			schema.Numeric: "n", schema.String: "s", schema.Boolean: "b", schema.Untyped: "u",
		}[*atom.Scalar]
	}
	if atom.List != nil {
		var element *apiservercel.DeclType
		if isList {
			element = decl.ElemType
		}
		made.listElement = t.add(&atom.List.ElementType, element)
		made.listKeys = atom.List.Keys
		switch {
		case atom.List.ElementRelationship == schema.Atomic:
			made.list = "a"
		case len(atom.List.Keys) > 0:
			made.list = "m"
			for _, key := range atom.List.Keys {
				if t.keys[made.listElement] == nil {
					t.keys[made.listElement] = map[string]bool{}
				}
				t.keys[made.listElement][key] = true
			}
		default:
			made.list = "s"
		}
	}
	if atom.Map != nil {
		made.mapping = "g"
		if atom.Map.ElementRelationship == schema.Atomic {
			made.mapping = "a"
		}
		element := atom.Map.ElementType
		if element.NamedType != nil || element.Inlined != (schema.Atom{}) {
			var elementDecl *apiservercel.DeclType
			if isMap {
				elementDecl = decl.ElemType
			}
			made.mapElement = t.add(&element, elementDecl)
		}
		seen := 0
		for _, f := range atom.Map.Fields {
			var fieldDecl *apiservercel.DeclType
			escaped, ok := apiservercel.Escape(f.Name)
			if isObject && ok && decl.Fields[escaped] != nil {
				fieldDecl = decl.Fields[escaped].Type
				seen++
			}
			made.fields = append(made.fields, field{f.Name, t.add(&f.Type, fieldDecl), f.Default})
		}
		if isObject && seen < len(decl.Fields) {
			log.Printf("%v: CEL sees %d of %d fields", ref, seen, len(decl.Fields))
		}
		sort.Slice(made.fields, func(i, j int) bool { return made.fields[i].name < made.fields[j].name })
	}
	forms := 0
	for _, present := range []bool{atom.Scalar != nil, atom.List != nil, atom.Map != nil} {
		if present {
			forms++
		}
	}
	switch {
	case decl == nil:
		made.cel = "-"
	case forms == 1 && (isList || isMap || isObject && made.mapElement == nothing && len(made.fields) > 0):
	case decl.IsList() || decl.IsMap() || decl.IsObject():
		made.other = t.add(nil, decl)
	default:
		made.cel = letter(decl)
	}
	return made
}

// declare gives the entry the forms of a type that CEL sees.
func (e *entry) declare(t *table, decl *apiservercel.DeclType) {
	switch {
	case decl.IsList():
		e.list, e.listElement = "a", t.add(nil, decl.ElemType)
	case decl.IsMap():
		e.mapping, e.mapElement = "g", t.add(nil, decl.ElemType)
	case decl.IsObject():
		e.mapping = "g"
		for _, escaped := range slices.Sorted(maps.Keys(decl.Fields)) {
			name, ok := apiservercel.Unescape(escaped)
			if !ok {
				log.Fatalf("%s is no escaped name", escaped)
			}
			e.fields = append(e.fields, field{name, t.add(nil, decl.Fields[escaped].Type), nil})
		}
		sort.Slice(e.fields, func(i, j int) bool { return e.fields[i].name < e.fields[j].name })
	default:
		e.cel = letter(decl)
		e.scalar = map[string]string{"s": "s", "b": "b", "i": "n", "d": "n", "y": "s"}[e.cel]
		if e.scalar == "" {
			e.scalar = "u"
		}
	}
}

// letter is how a type without parts is written.
func letter(decl *apiservercel.DeclType) string {
	letters := map[string]string{
		"string": "s", "bool": "b", "int": "i", "double": "d",
		"bytes": "y", "timestamp": "t", "duration": "l", "dyn": "x",
	}
	found, ok := letters[decl.TypeName()]
	if !ok {
		log.Fatalf("a field of type %s", decl.TypeName())
	}
	return found
}

// implied is what CEL makes of a type of these forms where nothing else is said.
var implied = map[string]string{"s": "s", "b": "b", "n": "i", "u": "x"}

// line writes a type, the types in it renumbered.
func (t *table) line(index int, number []int) string {
	e := t.atoms[index]
	var forms []string
	if e.scalar != "" {
		forms = append(forms, e.scalar)
	}
	if e.list != "" {
		form := "[" + e.list + strconv.Itoa(number[e.listElement])
		if len(e.listKeys) > 0 {
			form += " " + strings.Join(e.listKeys, " ")
		}
		forms = append(forms, form)
	}
	if e.mapping != "" {
		form := "{" + e.mapping
		if e.mapElement >= 0 {
			form += strconv.Itoa(number[e.mapElement])
		}
		for _, f := range e.fields {
			form += " " + f.name + ":" + strconv.Itoa(number[f.typeIndex])
			if t.keys[index][f.name] && f.value != nil {
				raw, err := json.Marshal(f.value)
				if err != nil || strings.ContainsAny(string(raw), " |!\n") {
					log.Fatalf("default of %s: %v", f.name, f.value)
				}
				form += "=" + string(raw)
			}
		}
		forms = append(forms, form)
	}
	line := strings.Join(forms, "|")
	switch {
	case e.other != nothing:
		line += "!" + strconv.Itoa(number[e.other])
	case e.cel != "" && implied[line] != e.cel:
		line += "!" + e.cel
	}
	return line
}

// write prints the kinds and the types, equal types once: types of different
// versions and packages often are.
func write(t *table, kinds []kind) {
	number := make([]int, len(t.atoms))
	for count := 0; ; {
		seen, next := map[string]int{}, make([]int, len(t.atoms))
		for i := range t.atoms {
			line := t.line(i, number)
			if _, ok := seen[line]; !ok {
				seen[line] = len(seen)
			}
			next[i] = seen[line]
		}
		number = next
		if len(seen) == count {
			break
		}
		count = len(seen)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var roots []string
	for _, k := range kinds {
		sign := "~"
		if k.merges {
			sign = "="
		}
		root := fmt.Sprintf("%s%s/%s/%s %d %s", sign, k.gvk.Group, k.gvk.Version, k.gvk.Kind, number[k.index], k.resource)
		roots = append(roots, strings.TrimSpace(root))
	}
	sort.Slice(roots, func(i, j int) bool { return roots[i][1:] < roots[j][1:] })
	for _, root := range roots {
		fmt.Fprintln(out, root)
	}
	written := 0
	for i := range t.atoms {
		if number[i] == written {
			fmt.Fprintln(out, t.line(i, number))
			written++
		}
	}
}
