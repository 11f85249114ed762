package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

// zeroGroups are the groups whose kinds have defaults; only their stable
// versions are served by default.
var zeroGroups = map[string]bool{
	"": true, "apps": true, "autoscaling": true, "batch": true, "discovery.k8s.io": true,
	"networking.k8s.io": true, "policy": true, "rbac.authorization.k8s.io": true,
	"scheduling.k8s.io": true, "storage.k8s.io": true,
}

// writeZero writes how the fields of kinds are written when they are zero, as
// encoding/json decides it from the Go types. The format is described in
// src/defaulting/zero.rs, which reads it.
func writeZero() {
	types := &zeroTypes{number: map[reflect.Type]int{}}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	known := scheme.Scheme.AllKnownTypes()
	for _, gvk := range sorted(known, known) {
		stable := !strings.Contains(gvk.Version, "alpha") && !strings.Contains(gvk.Version, "beta")
		goType := known[gvk]
		meta, isObject := goType.FieldByName("ObjectMeta")
		if !zeroGroups[gvk.Group] || !stable || !isObject || meta.Type != reflect.TypeFor[metav1.ObjectMeta]() {
			continue
		}
		fmt.Fprintf(out, "=%s/%s/%s %d\n", gvk.Group, gvk.Version, gvk.Kind, types.add(goType))
	}
	for _, line := range types.lines {
		fmt.Fprintln(out, line)
	}
}

type zeroTypes struct {
	number map[reflect.Type]int
	lines  []string
}

func (t *zeroTypes) add(goType reflect.Type) int {
	if number, ok := t.number[goType]; ok {
		return number
	}
	number := len(t.lines)
	t.number[goType] = number
	t.lines = append(t.lines, "")
	fields := t.fields(goType)
	sort.Strings(fields)
	t.lines[number] = strings.Join(fields, " ")
	return number
}

func (t *zeroTypes) fields(goType reflect.Type) []string {
	var fields []string
	for i := range goType.NumField() {
		field := goType.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && field.Anonymous && field.Type.Kind() == reflect.Struct:
			fields = append(fields, t.fields(field.Type)...)
		default:
			rest := t.presence(field.Type, options) + t.shape(field.Type)
			if rest != "*" {
				fields = append(fields, name+rest)
			}
		}
	}
	return fields
}

// presence says what of a field is written when its value is zero.
func (t *zeroTypes) presence(goType reflect.Type, options string) string {
	omitEmpty, omitZero := strings.Contains(options, "omitempty"), strings.Contains(options, "omitzero")
	kind := goType.Kind()
	switch {
	case kind == reflect.Pointer && omitEmpty:
		return "*"
	case omitZero, omitEmpty && kind != reflect.Struct:
		return "?"
	case goType == reflect.TypeFor[resource.Quantity]():
		return "!q"
	case goType == reflect.TypeFor[intstr.IntOrString]():
		return "!n"
	case goType == reflect.TypeFor[metav1.Time](), goType == reflect.TypeFor[metav1.MicroTime]():
		return "!l"
	case kind == reflect.Struct:
		return "!o"
	case kind == reflect.String:
		return "!s"
	case kind == reflect.Bool:
		return "!b"
	case kind >= reflect.Int && kind <= reflect.Float64:
		return "!n"
	default:
		return "!l"
	}
}

// shape says what the values within a field are, as far as that matters.
func (t *zeroTypes) shape(goType reflect.Type) string {
	switch goType.Kind() {
	case reflect.Pointer:
		return t.shape(goType.Elem())
	case reflect.Slice:
		return prefixed("[", t.element(goType.Elem()))
	case reflect.Map:
		return prefixed("{", t.element(goType.Elem()))
	case reflect.Struct:
		if goType == reflect.TypeFor[resource.Quantity]() {
			return ":q"
		}
		if _, opaque := reflect.PointerTo(goType).MethodByName("MarshalJSON"); opaque {
			return ""
		}
		return ":" + strconv.Itoa(t.add(goType))
	default:
		return ""
	}
}

// element is the shape of what a list or a map holds, where a null is written
// as the zero that it is decoded to.
func (t *zeroTypes) element(goType reflect.Type) string {
	switch kind := goType.Kind(); {
	case kind == reflect.String:
		return ":s"
	case kind == reflect.Bool:
		return ":b"
	// The elements of a []byte are no elements in JSON.
	case kind >= reflect.Int && kind <= reflect.Float64 && kind != reflect.Uint8:
		return ":n"
	default:
		return t.shape(goType)
	}
}

func prefixed(prefix, shape string) string {
	if shape == "" {
		return ""
	}
	return prefix + shape
}
