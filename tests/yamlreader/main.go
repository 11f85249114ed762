// What kubectl makes of a text: JSON lines in, one JSON line out for each, same order.
//
// In: {"text": base64}. Out: {"stream": [outcome…], "v3": outcome}, where an outcome is {"value": …} or {"error": …}.
// "stream" is what kubectl reads, null left out, up to its first error; "v3" what other readers make of the first document.
// Values are JSON, but objects are {"object": …} and floats are {"float": text}, so that integers are told from floats.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

type question struct {
	Text []byte `json:"text"`
}

type outcome struct {
	Value any    `json:"value,omitempty"`
	Error string `json:"error,omitempty"`
}

type answer struct {
	Stream []outcome `json:"stream"`
	V3     outcome   `json:"v3"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	decoder := json.NewDecoder(in)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		var q question
		if err := decoder.Decode(&q); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := encoder.Encode(answer{Stream: stream(q.Text), V3: third(q.Text)}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Flush(); err != nil {
			os.Exit(1)
		}
	}
}

// As kubectl's resource builder reads a file.
func stream(text []byte) []outcome {
	outcomes := []outcome{}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		extension := runtime.RawExtension{}
		err := decoder.Decode(&extension)
		if errors.Is(err, io.EOF) {
			return outcomes
		}
		if err != nil {
			return append(outcomes, outcome{Error: err.Error()})
		}
		raw := bytes.TrimSpace(extension.Raw)
		if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue
		}
		outcomes = append(outcomes, object(raw))
	}
}

// As readers of go-yaml's third version (kustomize, Flux) read the first document.
func third(text []byte) outcome {
	var value any
	if err := yamlv3.Unmarshal(text, &value); err != nil {
		return outcome{Error: err.Error()}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	return object(raw)
}

// The value as an unstructured object holds it: integers apart from floats, of two members with one key the last.
func object(raw []byte) outcome {
	var value any
	if err := utiljson.Unmarshal(raw, &value); err != nil {
		return outcome{Error: err.Error()}
	}
	return outcome{Value: tagged(value)}
}

func tagged(value any) any {
	switch value := value.(type) {
	case map[string]any:
		members := make(map[string]any, len(value))
		for key, member := range value {
			members[key] = tagged(member)
		}
		return map[string]any{"object": members}
	case []any:
		elements := make([]any, len(value))
		for i, element := range value {
			elements[i] = tagged(element)
		}
		return elements
	case float64:
		return map[string]any{"float": strconv.FormatFloat(value, 'g', -1, 64)}
	default:
		return value
	}
}
