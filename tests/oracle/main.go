// Command oracle answers what Kubernetes itself makes of CEL expressions and of
// admission policies, so that tests can compare. It reads JSON lines on standard
// input and writes one JSON line for each, in the same order, on standard output.
//
// It evaluates with the API server's own packages and decides nothing by itself.
// See README.md for the formats.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

// failure is the answer for a line that has no result.
type failure struct {
	Error string `json:"error"`
	// Stage is "input" (the line itself is wrong), "compile" or "runtime".
	Stage string `json:"stage"`
	// Cost is what was spent before the failure, where that is known.
	Cost *uint64 `json:"cost,omitempty"`
}

// handler turns one input line into one JSON-serializable answer.
type handler func(line []byte) any

func main() {
	mutation := flag.Bool("mutation", false, "declare the patch types Object and JSONPatch (expression mode)")
	policies := flag.Bool("policies", false, "evaluate whole policies instead of expressions")
	release := flag.String("kubernetes-version", "1.36", "Kubernetes minor `version` whose CEL environment to use")
	flag.Parse()

	if err := run(*release, *mutation, *policies, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func run(release string, mutation, policies bool, in io.Reader, out io.Writer) error {
	compat, err := version.ParseMajorMinor(release)
	if err != nil {
		return fmt.Errorf("--kubernetes-version: %w", err)
	}
	// Only the NewExpressions half of an EnvSet honours the version: the other
	// half holds everything this release of the libraries knows.
	base := environment.MustBaseEnvSet(compat)
	handle := newExpressionEvaluator(base, mutation).evaluate
	if policies {
		handle = newPolicyEvaluator(base).evaluate
	}
	return serve(handle, in, out)
}

// serve answers line by line and flushes whenever no further input waits, so
// that it can be driven interactively over a pipe.
func serve(handle handler, in io.Reader, out io.Writer) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	writer := bufio.NewWriterSize(out, 1<<20)
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	for {
		line, readErr := reader.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := encoder.Encode(guard(handle, line)); err != nil {
				return err
			}
		}
		if readErr != nil || reader.Buffered() == 0 {
			if err := writer.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// guard keeps a panic in one line from ending the others.
func guard(handle handler, line []byte) (answer any) {
	defer func() {
		if r := recover(); r != nil {
			answer = failure{Error: fmt.Sprintf("panic: %v", r), Stage: "runtime"}
		}
	}()
	return handle(line)
}
