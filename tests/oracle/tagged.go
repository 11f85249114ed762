package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/mutation"
	"k8s.io/apiserver/pkg/cel/mutation/dynamic"
)

// tagged is a CEL value in JSON that keeps its type.
type tagged struct {
	T string `json:"t"`
	// Type names the type of an "opaque" or "object".
	Type string `json:"type,omitempty"`
	V    any    `json:"v,omitempty"`
}

type taggedOptional struct {
	T string `json:"t"`
	V any    `json:"v"`
}

type taggedTimestamp struct {
	T       string `json:"t"`
	Seconds string `json:"s"`
	Nanos   int    `json:"n"`
}

// tag writes a CEL value down. Map entries are sorted by their JSON text, so
// that equal values have equal text.
func tag(value ref.Val) any {
	switch v := value.(type) {
	case nil, types.Null:
		return tagged{T: "null"}
	case types.Bool:
		return tagged{T: "bool", V: bool(v)}
	case types.Int:
		return tagged{T: "int", V: strconv.FormatInt(int64(v), 10)}
	case types.Uint:
		return tagged{T: "uint", V: strconv.FormatUint(uint64(v), 10)}
	case types.Double:
		return tagged{T: "double", V: formatDouble(float64(v))}
	case types.String:
		return tagged{T: "string", V: string(v)}
	case types.Bytes:
		return tagged{T: "bytes", V: hex.EncodeToString(v)}
	case types.Duration:
		return tagged{T: "duration", V: strconv.FormatInt(int64(v.Duration), 10)}
	case types.Timestamp:
		return taggedTimestamp{T: "timestamp", Seconds: strconv.FormatInt(v.Unix(), 10), Nanos: v.Nanosecond()}
	case *types.Type:
		return tagged{T: "type", V: v.TypeName()}
	case *types.Optional:
		if !v.HasValue() {
			return taggedOptional{T: "optional"}
		}
		return taggedOptional{T: "optional", V: tag(v.GetValue())}
	case *dynamic.ObjectVal:
		return tagObject(v)
	case *mutation.JSONPatchVal:
		return tagPatch(v)
	case traits.Mapper:
		return tagMap(v)
	case traits.Lister:
		items := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			items = append(items, tag(it.Next()))
		}
		return tagged{T: "list", V: items}
	default:
		return tagged{T: "opaque", Type: value.Type().TypeName(), V: opaqueText(value)}
	}
}

func tagMap(v traits.Mapper) any {
	type entry struct {
		text string
		pair [2]any
	}
	var entries []entry
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		pair := [2]any{tag(key), tag(v.Get(key))}
		text, err := json.Marshal(pair[0])
		if err != nil {
			panic(err)
		}
		entries = append(entries, entry{string(text), pair})
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].text < entries[j].text })
	pairs := [][2]any{}
	for _, e := range entries {
		pairs = append(pairs, e.pair)
	}
	return tagged{T: "map", V: pairs}
}

// tagObject writes an Object{} of a mutation. Upstream does not show the types
// of nested objects, so those are written as maps.
func tagObject(v *dynamic.ObjectVal) any {
	content, ok := v.Value().(map[string]any)
	if !ok {
		return tagged{T: "object", Type: v.Type().TypeName(), V: fmt.Sprint(v.Value())}
	}
	names := make([]string, 0, len(content))
	for name := range content {
		names = append(names, name)
	}
	sort.Strings(names)
	fields := [][2]any{}
	for _, name := range names {
		fields = append(fields, [2]any{name, tag(types.DefaultTypeAdapter.NativeToValue(content[name]))})
	}
	return tagged{T: "object", Type: v.Type().TypeName(), V: fields}
}

func tagPatch(v *mutation.JSONPatchVal) any {
	fields := [][2]any{}
	for _, field := range [][2]string{{"op", v.Op}, {"path", v.Path}, {"from", v.From}} {
		if field[1] != "" {
			fields = append(fields, [2]any{field[0], tag(types.String(field[1]))})
		}
	}
	if v.Val != nil {
		fields = append(fields, [2]any{"value", tag(v.Val)})
	}
	return tagged{T: "object", Type: "JSONPatch", V: fields}
}

func opaqueText(value ref.Val) string {
	switch v := value.(type) {
	case apiservercel.Quantity:
		return v.Quantity.String()
	case apiservercel.IP:
		return v.Addr.String()
	case apiservercel.CIDR:
		return v.Prefix.String()
	case apiservercel.URL:
		return v.URL.String()
	case apiservercel.Semver:
		return v.Version.String()
	case apiservercel.Format:
		return v.Name
	case *apiservercel.Format:
		return v.Name
	case *types.Err:
		return v.Error()
	default:
		return "" // the authorizer's own types show nothing
	}
}

func formatDouble(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// untag reads a tagged value, and says which type to declare it with.
func untag(raw json.RawMessage) (ref.Val, *cel.Type, error) {
	var in struct {
		T    string          `json:"t"`
		Type string          `json:"type"`
		V    json.RawMessage `json:"v"`
		S    json.RawMessage `json:"s"`
		N    json.Number     `json:"n"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, nil, err
	}
	text := strings.Trim(string(in.V), `"`)
	switch in.T {
	case "null":
		return types.NullValue, cel.DynType, nil
	case "bool":
		return types.Bool(text == "true"), cel.BoolType, nil
	case "int":
		n, err := strconv.ParseInt(text, 10, 64)
		return types.Int(n), cel.IntType, err
	case "uint":
		n, err := strconv.ParseUint(text, 10, 64)
		return types.Uint(n), cel.UintType, err
	case "double":
		n, err := strconv.ParseFloat(text, 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil // an overflow is an infinity
		}
		return types.Double(n), cel.DoubleType, err
	case "string":
		var s string
		err := json.Unmarshal(in.V, &s)
		return types.String(s), cel.StringType, err
	case "bytes":
		b, err := hex.DecodeString(text)
		return types.Bytes(b), cel.BytesType, err
	case "duration":
		n, err := strconv.ParseInt(text, 10, 64)
		return types.Duration{Duration: time.Duration(n)}, cel.DurationType, err
	case "timestamp":
		seconds, err := strconv.ParseInt(strings.Trim(string(in.S), `"`), 10, 64)
		if err != nil {
			return nil, nil, err
		}
		nanos, err := strconv.ParseInt("0"+in.N.String(), 10, 64)
		return types.Timestamp{Time: time.Unix(seconds, nanos).UTC()}, cel.TimestampType, err
	case "type":
		return types.NewTypeValue(text), cel.TypeType, nil
	case "list":
		return untagList(in.V)
	case "map":
		return untagMap(in.V)
	case "optional":
		if len(in.V) == 0 || text == "null" {
			return types.OptionalNone, cel.OptionalType(cel.DynType), nil
		}
		value, valueType, err := untag(in.V)
		if err != nil {
			return nil, nil, err
		}
		return types.OptionalOf(value), cel.OptionalType(valueType), nil
	case "opaque":
		return untagOpaque(in.Type, text)
	default:
		return nil, nil, fmt.Errorf("no value of kind %q can be bound", in.T)
	}
}

func untagList(raw json.RawMessage) (ref.Val, *cel.Type, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, nil, err
	}
	values := []ref.Val{}
	var elem *cel.Type
	for _, item := range items {
		value, valueType, err := untag(item)
		if err != nil {
			return nil, nil, err
		}
		values = append(values, value)
		elem = common(elem, valueType)
	}
	return types.DefaultTypeAdapter.NativeToValue(values), cel.ListType(common(elem, nil)), nil
}

func untagMap(raw json.RawMessage) (ref.Val, *cel.Type, error) {
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return nil, nil, err
	}
	entries := map[ref.Val]ref.Val{}
	var keyType, elemType *cel.Type
	for _, pair := range pairs {
		key, kt, err := untag(pair[0])
		if err != nil {
			return nil, nil, err
		}
		value, vt, err := untag(pair[1])
		if err != nil {
			return nil, nil, err
		}
		entries[key] = value
		keyType, elemType = common(keyType, kt), common(elemType, vt)
	}
	return types.DefaultTypeAdapter.NativeToValue(entries), cel.MapType(common(keyType, nil), common(elemType, nil)), nil
}

// common is the type of a list that has elements of both; dyn where they differ
// or where nothing is known.
func common(a, b *cel.Type) *cel.Type {
	switch {
	case a == nil && b == nil:
		return cel.DynType
	case a == nil:
		return b
	case b == nil || a.IsExactType(b):
		return a
	default:
		return cel.DynType
	}
}

func untagOpaque(name, text string) (ref.Val, *cel.Type, error) {
	switch name {
	case "net.IP":
		addr, err := netip.ParseAddr(text)
		return apiservercel.IP{Addr: addr}, apiservercel.IPType, err
	case "net.CIDR":
		prefix, err := netip.ParsePrefix(text)
		return apiservercel.CIDR{Prefix: prefix}, apiservercel.CIDRType, err
	case "kubernetes.URL":
		u, err := url.Parse(text)
		return apiservercel.URL{URL: u}, apiservercel.URLType, err
	default:
		return nil, nil, fmt.Errorf("no value of type %q can be bound; construct it in the expression", name)
	}
}
