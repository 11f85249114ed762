// What upstream itself makes of a pod, an image reference and a path: JSON lines in, one JSON line out for each, same
// order. See README.md for the formats.
package main

import (
	"bufio"
	_ "crypto/sha256" // digests of these algorithms are known
	_ "crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
)

type question struct {
	// Pod is a Pod as one writes it.
	Pod json.RawMessage `json:"pod"`
	// Image is an image reference.
	Image *string `json:"image"`
	// Path is a path, and Prefixes are those below which it may lie.
	Path     *string  `json:"path"`
	Prefixes []string `json:"prefixes"`
	// Checks asks for the checks of the standard.
	Checks bool `json:"checks"`
}

type failure struct {
	Error string `json:"error"`
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "standards:", err)
		os.Exit(1)
	}
}

// serve flushes whenever no further input waits, so that one may ask line by line.
func serve(in io.Reader, out io.Writer) error {
	standard, err := newStandard()
	if err != nil {
		return err
	}
	reader := bufio.NewReaderSize(in, 1<<20)
	writer := bufio.NewWriterSize(out, 1<<20)
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	for {
		line, readErr := reader.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(answer(standard, line)); err != nil {
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

func answer(standard *standard, line []byte) any {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return failure{Error: err.Error()}
	}
	switch {
	case q.Checks:
		return standard.known
	case q.Image != nil:
		return parsed(*q.Image)
	case q.Path != nil:
		return located(*q.Path, q.Prefixes)
	default:
		return standard.judge(q.Pod)
	}
}

// standard is the Pod Security Standards at their latest version.
type standard struct {
	checks    []policy.Check
	evaluator policy.Evaluator
	known     map[policy.CheckID]psa.Level
}

func newStandard() (*standard, error) {
	checks := policy.DefaultChecks()
	evaluator, err := policy.NewEvaluator(checks, nil)
	if err != nil {
		return nil, err
	}
	known := map[policy.CheckID]psa.Level{}
	for _, check := range checks {
		known[check.ID] = check.Level
	}
	return &standard{checks: checks, evaluator: evaluator, known: known}, nil
}

type judgement struct {
	// Forbidden are the checks that forbid the pod, each asked by itself.
	Forbidden []policy.CheckID `json:"forbidden"`
	// Baseline and Restricted say whether the level as a whole allows it.
	Baseline   bool `json:"baseline"`
	Restricted bool `json:"restricted"`
}

func (s *standard) judge(text []byte) any {
	var pod corev1.Pod
	// As the API server reads JSON.
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &pod); err != nil {
		return failure{Error: err.Error()}
	}
	complete(&pod.Spec)
	judgement := judgement{Forbidden: []policy.CheckID{}}
	for _, check := range s.checks {
		latest := check.Versions[len(check.Versions)-1]
		if !latest.CheckPod(&pod.ObjectMeta, &pod.Spec).Allowed {
			judgement.Forbidden = append(judgement.Forbidden, check.ID)
		}
	}
	judgement.Baseline = s.allows(psa.LevelBaseline, &pod)
	judgement.Restricted = s.allows(psa.LevelRestricted, &pod)
	return judgement
}

func (s *standard) allows(level psa.Level, pod *corev1.Pod) bool {
	latest := psa.LevelVersion{Level: level, Version: psa.LatestVersion()}
	return policy.AggregateCheckResults(s.evaluator.EvaluatePod(latest, &pod.ObjectMeta, &pod.Spec)).Allowed
}

// complete sets those of the API server's defaults that the standard can see, as no evaluator gets a pod without them:
// on the host's network a container's port is the host's, and a volume that says nothing of its kind is an empty one.
func complete(spec *corev1.PodSpec) {
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			for j := range containers[i].Ports {
				if port := &containers[i].Ports[j]; spec.HostNetwork && port.HostPort == 0 {
					port.HostPort = port.ContainerPort
				}
			}
		}
	}
	for i := range spec.Volumes {
		if spec.Volumes[i].VolumeSource == (corev1.VolumeSource{}) {
			spec.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
}

type image struct {
	Registry   string `json:"registry"`
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	Digest     string `json:"digest"`
}

// parsed is a reference with what is implied of registry and repository; the tag stays away where none is written.
func parsed(text string) any {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return failure{Error: err.Error()}
	}
	answer := image{Registry: reference.Domain(named), Repository: reference.Path(named)}
	if tagged, ok := named.(reference.Tagged); ok {
		answer.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		answer.Digest = digested.Digest().String()
	}
	return answer
}

type location struct {
	Clean string `json:"clean"`
	// Within says whether the path lies below one of the prefixes, or is one of them.
	Within bool `json:"within"`
}

func located(text string, prefixes []string) location {
	answer := location{Clean: path.Clean(text)}
	for _, prefix := range prefixes {
		prefix = path.Clean(prefix)
		below := strings.TrimSuffix(prefix, "/") + "/"
		answer.Within = answer.Within || answer.Clean == prefix || strings.HasPrefix(answer.Clean, below)
	}
	return answer
}
