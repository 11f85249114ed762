package main

import (
	"context"
	"encoding/json"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	kjson "sigs.k8s.io/json"
)

type policyInput struct {
	situation
	Policy json.RawMessage `json:"policy"`
}

type validationOutput struct {
	// Matched is false where a match condition excluded the request.
	Matched     bool               `json:"matched"`
	Validations []validationResult `json:"validations"`
	// Error is set where the policy failed as a whole, before any validation.
	Error            string             `json:"error,omitempty"`
	Allowed          bool               `json:"allowed"`
	AuditAnnotations []annotationResult `json:"auditAnnotations,omitempty"`
}

type validationResult struct {
	Index   int    `json:"index"`
	Allowed bool   `json:"allowed"`
	Message string `json:"message,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Error is set instead of Message where the expression could not be evaluated.
	Error string `json:"error,omitempty"`
}

type annotationResult struct {
	Key    string `json:"key"`
	Action string `json:"action"`
	Value  string `json:"value,omitempty"`
	Error  string `json:"error,omitempty"`
}

type mutationOutput struct {
	Matched bool `json:"matched"`
	// Allowed is false where an error met failurePolicy Fail.
	Allowed bool            `json:"allowed"`
	Changed bool            `json:"changed"`
	Object  any             `json:"object"`
	Errors  []mutationError `json:"errors,omitempty"`
}

type mutationError struct {
	// Index is the mutation's, -1 for the match conditions.
	Index int    `json:"index"`
	Error string `json:"error"`
}

type policyEvaluator struct {
	base    *environment.EnvSet
	schemas managedfields.TypeConverter
}

func newPolicyEvaluator(base *environment.EnvSet) *policyEvaluator {
	return &policyEvaluator{base: base, schemas: applyconfigurations.NewTypeConverter(scheme.Scheme)}
}

func (e *policyEvaluator) evaluate(line []byte) any {
	var input policyInput
	if err := json.Unmarshal(line, &input); err != nil {
		return failure{Error: err.Error(), Stage: "input"}
	}
	var header struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(input.Policy, &header); err != nil {
		return failure{Error: "policy: " + err.Error(), Stage: "input"}
	}
	var answer any
	var err error
	switch header.Kind {
	case "ValidatingAdmissionPolicy":
		answer, err = e.validate(&input)
	case "MutatingAdmissionPolicy":
		answer, err = e.mutate(&input)
	default:
		err = fmt.Errorf("policy.kind: %q is neither ValidatingAdmissionPolicy nor MutatingAdmissionPolicy", header.Kind)
	}
	if err != nil {
		return failure{Error: err.Error(), Stage: "input"}
	}
	return answer
}

// prepared is a request ready to be judged.
type prepared struct {
	attributes *admission.VersionedAttributes
	resource   schema.GroupVersionResource
	namespace  *corev1.Namespace
	params     runtime.Object
	authorizer ruleAuthorizer
}

func (s *situation) prepare() (*prepared, error) {
	attributes, resource, err := s.attributes()
	if err != nil {
		return nil, err
	}
	namespace, err := s.namespace()
	if err != nil {
		return nil, err
	}
	return &prepared{attributes, resource, namespace, s.Params.object(), ruleAuthorizer(s.Authorizer)}, nil
}

func (e *policyEvaluator) validate(input *policyInput) (any, error) {
	var policy admissionregistrationv1.ValidatingAdmissionPolicy
	if err := kjson.UnmarshalCaseSensitivePreserveInts(input.Policy, &policy); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	with, err := input.prepare()
	if err != nil {
		return nil, err
	}
	validator, err := e.validator(&policy)
	if err != nil {
		return nil, err
	}
	result := validator.Validate(context.Background(), with.resource, with.attributes, with.params, with.namespace,
		celconfig.RuntimeCELCostBudget, with.authorizer)

	output := validationOutput{Matched: result.Decisions != nil, Allowed: true, Validations: []validationResult{}}
	for i, decision := range result.Decisions {
		allowed := decision.Action == validating.ActionAdmit
		output.Allowed = output.Allowed && allowed
		// Annotations are nil, not empty, only where the policy failed as a whole:
		// the single decision then belongs to no expression.
		if decision.Evaluation == validating.EvalError && result.AuditAnnotations == nil {
			output.Error = decision.Message
			continue
		}
		item := validationResult{Index: i, Allowed: allowed, Reason: string(decision.Reason)}
		if decision.Evaluation == validating.EvalError {
			item.Error = decision.Message
		} else {
			item.Message = decision.Message
		}
		output.Validations = append(output.Validations, item)
	}
	for _, a := range result.AuditAnnotations {
		output.AuditAnnotations = append(output.AuditAnnotations,
			annotationResult{Key: a.Key, Action: string(a.Action), Value: a.Value, Error: a.Error})
	}
	return output, nil
}

// validator compiles a policy the way the admission plugin does: message
// expressions alone do not see the authorizer.
func (e *policyEvaluator) validator(policy *admissionregistrationv1.ValidatingAdmissionPolicy) (validating.Validator, error) {
	spec := &policy.Spec
	compiler, err := plugincel.NewCompositedCompiler(e.base)
	if err != nil {
		return nil, err
	}
	full := plugincel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil, HasAuthorizer: true}
	plain := plugincel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil}
	storeVariables(compiler, spec.Variables, full)

	conditions := make([]plugincel.ExpressionAccessor, len(spec.Validations))
	messages := make([]plugincel.ExpressionAccessor, len(spec.Validations))
	for i, v := range spec.Validations {
		conditions[i] = &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason}
		if v.MessageExpression != "" {
			messages[i] = &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
		}
	}
	annotations := make([]plugincel.ExpressionAccessor, len(spec.AuditAnnotations))
	for i, a := range spec.AuditAnnotations {
		annotations[i] = &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression}
	}
	return validating.NewValidator(
		compiler.CompileCondition(conditions, full, environment.NewExpressions),
		matcher(compiler, spec.MatchConditions, full, spec.FailurePolicy, policy.Name),
		compiler.CompileCondition(annotations, full, environment.NewExpressions),
		compiler.CompileCondition(messages, plain, environment.NewExpressions),
		spec.FailurePolicy, nil), nil
}

func (e *policyEvaluator) mutate(input *policyInput) (any, error) {
	var policy admissionregistrationv1.MutatingAdmissionPolicy
	if err := kjson.UnmarshalCaseSensitivePreserveInts(input.Policy, &policy); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	spec := &policy.Spec
	with, err := input.prepare()
	if err != nil {
		return nil, err
	}
	compiler, err := plugincel.NewCompositedCompiler(e.base)
	if err != nil {
		return nil, err
	}
	declared := plugincel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil, HasAuthorizer: true}
	storeVariables(compiler, spec.Variables, declared)
	ctx := compiler.CreateContext(context.Background())

	fails := spec.FailurePolicy == nil || *spec.FailurePolicy == admissionregistrationv1.Fail
	output := mutationOutput{Matched: true, Allowed: true, Object: input.Object}
	record := func(index int, err error) {
		output.Errors = append(output.Errors, mutationError{index, err.Error()})
		output.Allowed = output.Allowed && !fails
	}
	if m := matcher(compiler, spec.MatchConditions, declared, spec.FailurePolicy, policy.Name); m != nil {
		match := m.Match(ctx, with.attributes, with.params, with.authorizer)
		if match.Error != nil {
			record(-1, match.Error)
			return output, nil
		}
		if !match.Matches {
			output.Matched = false
			return output, nil
		}
	}
	if with.attributes.VersionedObject == nil {
		return output, nil
	}

	before := with.attributes.VersionedObject
	declared.HasPatchTypes = true
	for i, mutation := range spec.Mutations {
		patcher := patcherFor(compiler, mutation, declared)
		if patcher == nil {
			record(i, fmt.Errorf("mutation has no expression for patchType %q", mutation.PatchType))
			continue
		}
		patched, err := patcher.Patch(ctx, patch.Request{
			MatchedResource:     with.resource,
			VersionedAttributes: with.attributes,
			ObjectInterfaces:    admission.NewObjectInterfacesFromScheme(scheme.Scheme),
			OptionalVariables:   plugincel.OptionalVariableBindings{VersionedParams: with.params, Authorizer: with.authorizer},
			Namespace:           with.namespace,
			TypeConverter:       e.converter(with.attributes.VersionedKind),
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			record(i, err)
			continue
		}
		// As upstream: each mutation sees what the one before has made.
		with.attributes.VersionedObject = patched
	}
	output.Changed = !equality.Semantic.DeepEqual(before, with.attributes.VersionedObject)
	if after, ok := with.attributes.VersionedObject.(*unstructured.Unstructured); ok {
		output.Object = after.Object
	}
	return output, nil
}

func patcherFor(compiler *plugincel.CompositedCompiler, m admissionregistrationv1.Mutation, declared plugincel.OptionalVariableDeclarations) patch.Patcher {
	switch {
	case m.PatchType == admissionregistrationv1.PatchTypeJSONPatch && m.JSONPatch != nil:
		return patch.NewJSONPatcher(compiler.CompileMutatingEvaluator(
			&patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}, declared, environment.NewExpressions))
	case m.PatchType == admissionregistrationv1.PatchTypeApplyConfiguration && m.ApplyConfiguration != nil:
		return patch.NewApplyConfigurationPatcher(compiler.CompileMutatingEvaluator(
			&patch.ApplyConfigurationCondition{Expression: m.ApplyConfiguration.Expression}, declared, environment.NewExpressions))
	default:
		return nil
	}
}

// converter knows the real schema of built-in kinds; lists of other kinds are
// taken as atomic, as those of custom resources without list types are.
func (e *policyEvaluator) converter(kind schema.GroupVersionKind) managedfields.TypeConverter {
	if scheme.Scheme.Recognizes(kind) {
		return e.schemas
	}
	return managedfields.NewDeducedTypeConverter()
}

func storeVariables(compiler *plugincel.CompositedCompiler, variables []admissionregistrationv1.Variable, declared plugincel.OptionalVariableDeclarations) {
	for _, v := range variables {
		// An error is kept with the variable and met where that is read.
		compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, declared, environment.NewExpressions)
	}
}

// matcher gives nil where there are no match conditions.
func matcher(compiler *plugincel.CompositedCompiler, conditions []admissionregistrationv1.MatchCondition, declared plugincel.OptionalVariableDeclarations, failurePolicy *admissionregistrationv1.FailurePolicyType, name string) matchconditions.Matcher {
	if len(conditions) == 0 {
		return nil
	}
	accessors := make([]plugincel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		accessors[i] = (*matchconditions.MatchCondition)(&conditions[i])
	}
	return matchconditions.NewMatcher(
		compiler.CompileCondition(accessors, declared, environment.NewExpressions),
		failurePolicy, "policy", "validate", name)
}
