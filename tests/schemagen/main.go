// Command schemagen writes src/engine/apply/builtin.txt: how the built-in
// kinds of Kubernetes merge, taken from the schema of client-go's apply
// configurations, which is generated from the API server's own.
//
//	cd tests/schemagen && go run . > ../../src/engine/apply/builtin.txt
//
// The format is described in src/engine/apply/schema.rs, which reads it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
)

func main() {
	converter := applyconfigurations.NewTypeConverter(scheme.Scheme)
	table := &table{byName: map[string]int{}, keys: map[int]map[string]bool{}}
	kinds := map[runtimeschema.GroupVersionKind]int{}
	for _, gvk := range sorted(scheme.Scheme.AllKnownTypes()) {
		stub := &unstructured.Unstructured{}
		stub.SetGroupVersionKind(gvk)
		// What has no schema is no object of its own: lists, most options, internal versions.
		if typed, err := converter.ObjectToTyped(stub); err == nil && gvk.Kind != "DeleteOptions" {
			table.schema = typed.Schema()
			kinds[gvk] = table.add(typed.TypeRef())
		}
	}
	deduced := "__untyped_deduced_"
	kinds[anyKind] = table.add(schema.TypeRef{NamedType: &deduced})
	write(table, kinds)
}

// anyKind stands for what a value of unknown type merges like.
var anyKind = runtimeschema.GroupVersionKind{Group: "*", Version: "*", Kind: "*"}

// sorted makes the output the same each time.
func sorted[T any](types map[runtimeschema.GroupVersionKind]T) []runtimeschema.GroupVersionKind {
	gvks := make([]runtimeschema.GroupVersionKind, 0, len(types))
	for gvk := range types {
		gvks = append(gvks, gvk)
	}
	sort.Slice(gvks, func(i, j int) bool { return gvks[i].String() < gvks[j].String() })
	return gvks
}

// table numbers the types that kinds are made of.
type table struct {
	schema *schema.Schema
	byName map[string]int
	atoms  []entry
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
}

type field struct {
	name      string
	typeIndex int
	value     any
}

func (t *table) add(ref schema.TypeRef) int {
	name := ""
	if ref.NamedType != nil {
		name = *ref.NamedType
		if ref.ElementRelationship != nil {
			name += " " + string(*ref.ElementRelationship)
		}
		if index, ok := t.byName[name]; ok {
			return index
		}
	}
	atom, ok := t.schema.Resolve(ref)
	if !ok {
		log.Fatalf("no such type: %v", ref)
	}
	index := len(t.atoms)
	t.atoms = append(t.atoms, entry{})
	if name != "" {
		t.byName[name] = index
	}
	made := entry{listElement: -1, mapElement: -1}
	if atom.Scalar != nil {
		made.scalar = map[schema.Scalar]string{
			schema.Numeric: "n", schema.String: "s", schema.Boolean: "b", schema.Untyped: "u",
		}[*atom.Scalar]
	}
	if atom.List != nil {
		made.listElement = t.add(atom.List.ElementType)
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
			made.mapElement = t.add(element)
		}
		for _, f := range atom.Map.Fields {
			made.fields = append(made.fields, field{f.Name, t.add(f.Type), f.Default})
		}
		sort.Slice(made.fields, func(i, j int) bool { return made.fields[i].name < made.fields[j].name })
	}
	t.atoms[index] = made
	return index
}

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
				if err != nil || strings.ContainsAny(string(raw), " |\n") {
					log.Fatalf("default of %s: %v", f.name, f.value)
				}
				form += "=" + string(raw)
			}
		}
		forms = append(forms, form)
	}
	return strings.Join(forms, "|")
}

// write prints the kinds and the types, equal types once: types of different
// versions and packages often are.
func write(t *table, kinds map[runtimeschema.GroupVersionKind]int) {
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
	for gvk, index := range kinds {
		roots = append(roots, fmt.Sprintf("=%s/%s/%s %d", gvk.Group, gvk.Version, gvk.Kind, number[index]))
	}
	sort.Strings(roots)
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
