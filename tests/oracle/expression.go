package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

// evaluationTimeout keeps one runaway line from stopping all that follow. The
// cost limit ends everything legitimate long before.
const evaluationTimeout = time.Minute

type expressionInput struct {
	situation
	Expr string `json:"expr"`
	// Variables are `variables.<name>`, compiled in the order they are written.
	Variables orderedVariables `json:"variables"`
	// Bindings are further variables, each declared with the type of its value.
	Bindings map[string]json.RawMessage `json:"bindings"`
	// Container is the CEL container (namespace) names are resolved in.
	Container string `json:"container"`
}

type expressionOutput struct {
	Value any `json:"value"`
	// Type is the value's own type, Checked what the type checker derived.
	Type    string `json:"type"`
	Checked string `json:"checked"`
	// Cost is the expression's actual cost; that of the variables it read is
	// apart, as the API server counts them apart.
	Cost         uint64 `json:"cost"`
	VariableCost int64  `json:"variablesCost,omitempty"`
}

// anyExpression is an expression that may give a value of any type.
type anyExpression struct{ name, expression string }

func (e anyExpression) GetExpression() string    { return e.expression }
func (e anyExpression) GetName() string          { return e.name }
func (e anyExpression) ReturnTypes() []*cel.Type { return []*cel.Type{cel.AnyType} }

// orderedVariables is a JSON object {name: expression} or a policy's own list
// [{name, expression}]; either way the order written is the order compiled.
type orderedVariables []anyExpression

func (v *orderedVariables) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	open, err := decoder.Token()
	if err != nil || open == nil {
		return err
	}
	for decoder.More() {
		var variable struct{ Name, Expression string }
		if open == json.Delim('[') {
			err = decoder.Decode(&variable)
		} else {
			var name json.Token
			if name, err = decoder.Token(); err == nil {
				variable.Name = fmt.Sprint(name)
				err = decoder.Decode(&variable.Expression)
			}
		}
		if err != nil {
			return fmt.Errorf("variables: %w", err)
		}
		*v = append(*v, anyExpression{variable.Name, variable.Expression})
	}
	return nil
}

// activation resolves names for an evaluation.
type activation map[string]any

func (a activation) ResolveName(name string) (any, bool) { v, ok := a[name]; return v, ok }
func (a activation) Parent() interpreter.Activation      { return nil }

type expressionEvaluator struct {
	base     *environment.EnvSet
	mutation bool
	// compilers are kept by what was declared on top of the base, since building
	// the environments takes longer than all the rest.
	compilers map[string]*plugincel.CompositedCompiler
}

func newExpressionEvaluator(base *environment.EnvSet, mutation bool) *expressionEvaluator {
	return &expressionEvaluator{base: base, mutation: mutation, compilers: map[string]*plugincel.CompositedCompiler{}}
}

func (e *expressionEvaluator) evaluate(line []byte) any {
	var input expressionInput
	if err := json.Unmarshal(line, &input); err != nil {
		return failure{Error: err.Error(), Stage: "input"}
	}
	scope, options, err := input.scope()
	if err != nil {
		return failure{Error: err.Error(), Stage: "input"}
	}
	compiler, err := e.compiler(options, len(input.Variables) > 0)
	if err != nil {
		return failure{Error: err.Error(), Stage: "compile"}
	}

	declared := plugincel.OptionalVariableDeclarations{HasParams: true, HasAuthorizer: true}
	for _, variable := range input.Variables {
		if result := compiler.CompileAndStoreVariable(variable, declared, environment.NewExpressions); result.Error != nil {
			return failure{Error: fmt.Sprintf("variable %q: %v", variable.name, result.Error), Stage: "compile"}
		}
	}
	// Upstream never declares the patch types for variables, only for mutations.
	declared.HasPatchTypes = e.mutation
	compiled := compiler.CompileCELExpression(anyExpression{expression: input.Expr}, declared, environment.NewExpressions)
	if compiled.Error != nil {
		return failure{Error: compiled.Error.Error(), Stage: "compile"}
	}

	ctx, cancel := context.WithTimeout(context.Background(), evaluationTimeout)
	defer cancel()
	composed := compiler.CreateContext(ctx)
	scope[plugincel.VariableVarName] = composed.Variables(scope)
	return execute(composed, compiled, scope)
}

func execute(ctx plugincel.CompositionContext, compiled plugincel.CompilationResult, scope activation) any {
	value, details, err := compiled.Program.ContextEval(ctx, scope)
	var cost *uint64
	if details != nil {
		cost = details.ActualCost()
	}
	if err != nil {
		return failure{Error: err.Error(), Stage: "runtime", Cost: cost}
	}
	if cost == nil {
		return failure{Error: "no runtime cost", Stage: "runtime"}
	}
	return expressionOutput{
		Value:        tag(value),
		Type:         value.Type().TypeName(),
		Checked:      compiled.OutputType.String(),
		Cost:         *cost,
		VariableCost: ctx.GetAndResetCost(),
	}
}

// declaration is what a line declares on top of the base environment.
type declaration struct {
	key     string
	options []cel.EnvOption
}

// scope binds every variable of an admission policy, and what the line adds.
func (in *expressionInput) scope() (activation, declaration, error) {
	var extra declaration
	attributes, _, err := in.attributes()
	if err != nil {
		return nil, extra, err
	}
	request, err := in.request()
	if err != nil {
		return nil, extra, err
	}
	namespace, err := in.namespace()
	if err != nil {
		return nil, extra, err
	}
	scope := activation{
		plugincel.ObjectVarName:    nullable(in.Object),
		plugincel.OldObjectVarName: nullable(in.OldObject),
		plugincel.ParamsVarName:    nullable(in.Params),
		plugincel.RequestVarName:   nil,
		plugincel.NamespaceVarName: nil,
		plugincel.AuthorizerVarName: library.NewAuthorizerVal(
			attributes.GetUserInfo(), ruleAuthorizer(in.Authorizer)),
		plugincel.RequestResourceAuthorizerVarName: library.NewResourceAuthorizerVal(
			attributes.GetUserInfo(), ruleAuthorizer(in.Authorizer), attributes),
	}
	if request != nil {
		if scope[plugincel.RequestVarName], err = runtime.DefaultUnstructuredConverter.ToUnstructured(request); err != nil {
			return nil, extra, err
		}
	}
	if namespace != nil {
		if scope[plugincel.NamespaceVarName], err = runtime.DefaultUnstructuredConverter.ToUnstructured(namespace); err != nil {
			return nil, extra, err
		}
	}
	extra, err = in.declare(scope)
	return scope, extra, err
}

// declare adds the line's bindings to the scope and says how to declare them.
func (in *expressionInput) declare(scope activation) (declaration, error) {
	var extra declaration
	names := make([]string, 0, len(in.Bindings))
	for name := range in.Bindings {
		names = append(names, name)
	}
	sort.Strings(names)
	var key strings.Builder
	if in.Container != "" {
		extra.options = append(extra.options, cel.Container(in.Container))
		fmt.Fprintf(&key, "in %s;", in.Container)
	}
	for _, name := range names {
		var value ref.Val
		value, valueType, err := untag(in.Bindings[name])
		if err != nil {
			return extra, fmt.Errorf("binding %q: %w", name, err)
		}
		scope[name] = value
		extra.options = append(extra.options, cel.Variable(name, valueType))
		fmt.Fprintf(&key, "%q:%s;", name, valueType)
	}
	extra.key = key.String()
	return extra, nil
}

// compiler gives a compiler for the base environment plus the declaration. One
// that gets variables is never shared: they become part of its types.
func (e *expressionEvaluator) compiler(extra declaration, private bool) (*plugincel.CompositedCompiler, error) {
	if known := e.compilers[extra.key]; known != nil && !private {
		return known, nil
	}
	base := e.base
	if len(extra.options) > 0 {
		var err error
		base, err = base.Extend(environment.VersionedOptions{
			IntroducedVersion: version.MajorMinor(1, 0),
			EnvOptions:        extra.options,
		})
		if err != nil {
			return nil, err
		}
	}
	compiler, err := plugincel.NewCompositedCompiler(base)
	if err == nil && !private {
		e.compilers[extra.key] = compiler
	}
	return compiler, err
}

func nullable(d document) any {
	if d == nil {
		return nil
	}
	return map[string]any(d)
}
