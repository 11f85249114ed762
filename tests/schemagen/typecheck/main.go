// Command typecheck says what Kubernetes would write to status.typeChecking of
// policies, so that tests can compare. It reads policies as JSON lines on
// standard input and writes one JSON line for each, in the same order.
//
//	typecheck -kubeconfig FILE [-quantities] < policies.jsonl
//
// It checks with the API server's own type checker, put together as
// kube-controller-manager does; the schemas of custom resources and the names of
// all resources come from the API server that the kubeconfig names.
//
// Answers: {"warnings":[{"fieldRef","warning"}],"others":[…]}. "others" are
// expressions that upstream could check and does not: match conditions,
// variables, audit annotations, and everything of a MutatingAdmissionPolicy but
// its mutations, which need types that the checker does not declare. The number
// that upstream appends to the name of a kind's type, the time in nanoseconds, is
// left out.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"portcullis/tests/schemagen/schemas"
)

type answer struct {
	Warnings []warning `json:"warnings"`
	Others   []warning `json:"others"`
}

type warning struct {
	FieldRef string `json:"fieldRef"`
	Warning  string `json:"warning"`
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "`file` that says where the API server is")
	quantities := flag.Bool("quantities", false, "let quantities be integers or strings instead of unknown fields")
	flag.Parse()
	if err := run(*kubeconfig, *quantities); err != nil {
		log.Fatal(err)
	}
}

func run(kubeconfig string, quantities bool) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	cached := memory.NewMemCacheClient(client)
	found := schemas.Upstream(cached)
	if quantities {
		found = schemas.WithQuantities{SchemaResolver: found}
	}
	checker := &validating.TypeChecker{SchemaResolver: found, RestMapper: restmapper.NewDeferredDiscoveryRESTMapper(cached)}

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var policy policy
		if err := json.Unmarshal(lines.Bytes(), &policy); err != nil {
			return err
		}
		if err := out.Encode(policy.check(checker)); err != nil {
			return err
		}
	}
	return lines.Err()
}

// policy is a policy of either kind.
type policy struct {
	Kind string `json:"kind"`
	Spec struct {
		admissionregistration.ValidatingAdmissionPolicySpec
	} `json:"spec"`
}

func (p *policy) check(checker *validating.TypeChecker) answer {
	validatingPolicy := &admissionregistration.ValidatingAdmissionPolicy{Spec: p.Spec.ValidatingAdmissionPolicySpec}
	made := answer{Warnings: []warning{}, Others: []warning{}}
	for _, w := range checker.Check(validatingPolicy) {
		made.Warnings = append(made.Warnings, warning{w.FieldRef, anonymous(w.Warning)})
	}
	context := checker.CreateContext(validatingPolicy)
	other := func(fieldRef, expression string) {
		if results := checker.CheckExpression(context, expression); len(results) > 0 {
			made.Others = append(made.Others, warning{fieldRef, anonymous(results.String())})
		}
	}
	for i, c := range p.Spec.MatchConditions {
		other(fmt.Sprintf("spec.matchConditions[%d].expression", i), c.Expression)
	}
	for i, v := range p.Spec.Variables {
		other(fmt.Sprintf("spec.variables[%d].expression", i), v.Expression)
	}
	for i, a := range p.Spec.AuditAnnotations {
		other(fmt.Sprintf("spec.auditAnnotations[%d].valueExpression", i), a.ValueExpression)
	}
	return made
}

// unique matches the number at the end of a kind's type name.
var unique = regexp.MustCompile(`([A-Za-z])[0-9]{5,9}([.,)'])`)

func anonymous(text string) string {
	return unique.ReplaceAllString(text, "$1$2")
}
