package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	kjson "sigs.k8s.io/json"
)

// document is a JSON object as the API server holds unstructured ones: whole
// numbers are int64 where they fit, all others float64.
type document map[string]any

func (d *document) UnmarshalJSON(data []byte) error {
	var content map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &content); err != nil {
		return err
	}
	*d = content
	return nil
}

// object gives nil, not an empty object, for an absent document: upstream tells
// the two apart.
func (d document) object() runtime.Object {
	if d == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: d}
}

// situation is what both modes know about a request.
type situation struct {
	Object          document        `json:"object"`
	OldObject       document        `json:"oldObject"`
	Params          document        `json:"params"`
	Request         json.RawMessage `json:"request"`
	NamespaceObject json.RawMessage `json:"namespaceObject"`
	// Authorizer lists the rules of the stand-in authorizer, first match wins.
	Authorizer []authorizationRule `json:"authorizer"`
}

// given tells a value from an absent or null one.
func given(raw json.RawMessage) bool {
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}

func (s *situation) request() (*admissionv1.AdmissionRequest, error) {
	if !given(s.Request) {
		return nil, nil
	}
	request := &admissionv1.AdmissionRequest{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(s.Request, request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return request, nil
}

// namespace reduces the given Namespace to the fields policies may see.
func (s *situation) namespace() (*corev1.Namespace, error) {
	if !given(s.NamespaceObject) {
		return nil, nil
	}
	namespace := &corev1.Namespace{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(s.NamespaceObject, namespace); err != nil {
		return nil, fmt.Errorf("namespaceObject: %w", err)
	}
	return plugincel.CreateNamespaceObject(namespace), nil
}

// attributes gives the admission attributes and the resource the policy matched.
// What the request does not say is derived from the objects.
func (s *situation) attributes() (*admission.VersionedAttributes, schema.GroupVersionResource, error) {
	request, err := s.request()
	if err != nil {
		return nil, schema.GroupVersionResource{}, err
	}
	if request == nil {
		request = &admissionv1.AdmissionRequest{}
	}
	s.complete(request)

	kind := schema.GroupVersionKind(request.Kind)
	resource := schema.GroupVersionResource(request.Resource)
	extra := make(map[string][]string, len(request.UserInfo.Extra))
	for name, values := range request.UserInfo.Extra {
		extra[name] = values
	}
	var options runtime.Object
	if len(request.Options.Raw) > 0 {
		var content document
		if err := json.Unmarshal(request.Options.Raw, &content); err != nil {
			return nil, schema.GroupVersionResource{}, fmt.Errorf("request.options: %w", err)
		}
		options = content.object()
	}
	record := admission.NewAttributesRecord(
		s.Object.object(), s.OldObject.object(),
		schema.GroupVersionKind(*request.RequestKind), request.Namespace, request.Name,
		schema.GroupVersionResource(*request.RequestResource), request.SubResource,
		admission.Operation(request.Operation), options, *request.DryRun,
		&user.DefaultInfo{
			Name:   request.UserInfo.Username,
			UID:    request.UserInfo.UID,
			Groups: request.UserInfo.Groups,
			Extra:  extra,
		})
	return &admission.VersionedAttributes{
		Attributes:         record,
		VersionedObject:    s.Object.object(),
		VersionedOldObject: s.OldObject.object(),
		VersionedKind:      kind,
	}, resource, nil
}

// complete fills in what a request leaves out, from the object it is about.
func (s *situation) complete(request *admissionv1.AdmissionRequest) {
	subject := &unstructured.Unstructured{Object: s.Object}
	if s.Object == nil {
		subject.Object = s.OldObject
	}
	if subject.Object == nil {
		subject.Object = map[string]any{}
	}
	if request.Kind.Kind == "" {
		request.Kind = metav1.GroupVersionKind(subject.GroupVersionKind())
	}
	if request.Resource.Resource == "" {
		plural, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind(request.Kind))
		request.Resource = metav1.GroupVersionResource(plural)
	}
	if request.RequestKind == nil {
		request.RequestKind = &request.Kind
	}
	if request.RequestResource == nil {
		request.RequestResource = &request.Resource
	}
	if request.Name == "" {
		request.Name = subject.GetName()
	}
	if request.Namespace == "" {
		request.Namespace = subject.GetNamespace()
	}
	if request.DryRun == nil {
		request.DryRun = new(bool)
	}
	if request.Operation == "" {
		switch {
		case s.Object == nil:
			request.Operation = admissionv1.Delete
		case s.OldObject != nil:
			request.Operation = admissionv1.Update
		default:
			request.Operation = admissionv1.Create
		}
	}
	request.Operation = admissionv1.Operation(strings.ToUpper(string(request.Operation)))
}
