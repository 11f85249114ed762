// Package schemas finds the schemas that Kubernetes type-checks policies with.
package schemas

import (
	apiextensionsscheme "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/scheme"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/validation/spec"
	definitions "k8s.io/kubernetes/pkg/generated/openapi"
)

// Upstream is the resolver that kube-controller-manager makes: the definitions
// that it was built with, then what the API server publishes.
func Upstream(client discovery.DiscoveryInterface) resolver.SchemaResolver {
	return resolver.NewDefinitionsSchemaResolver(definitions.GetOpenAPIDefinitions, scheme.Scheme, apiextensionsscheme.Scheme).
		Combine(&resolver.ClientDiscoveryResolver{Discovery: client})
}

// WithQuantities resolves like another resolver, but says of quantities that
// they are integers or strings. Upstream says nothing of them that CEL could
// use, so that resources.limits, for one, becomes an undefined field there.
type WithQuantities struct {
	resolver.SchemaResolver
}

// ResolveSchema implements resolver.SchemaResolver.
func (r WithQuantities) ResolveSchema(gvk runtimeschema.GroupVersionKind) (*spec.Schema, error) {
	found, err := r.SchemaResolver.ResolveSchema(gvk)
	if err != nil {
		return nil, err
	}
	expose(found)
	return found, nil
}

// expose changes quantities below a schema; what it passes through is copied,
// since schemas share their parts.
func expose(s *spec.Schema) {
	if len(s.Type) == 0 && len(s.OneOf) > 0 && s.Ref.GetURL() == nil {
		s.VendorExtensible = spec.VendorExtensible{Extensions: spec.Extensions{"x-kubernetes-int-or-string": true}}
		return
	}
	properties := make(map[string]spec.Schema, len(s.Properties))
	for name, property := range s.Properties {
		expose(&property)
		properties[name] = property
	}
	if s.Properties != nil {
		s.Properties = properties
	}
	if s.Items != nil && s.Items.Schema != nil {
		item := *s.Items.Schema
		expose(&item)
		s.Items = &spec.SchemaOrArray{Schema: &item}
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		element := *s.AdditionalProperties.Schema
		expose(&element)
		s.AdditionalProperties = &spec.SchemaOrBool{Allows: true, Schema: &element}
	}
}
