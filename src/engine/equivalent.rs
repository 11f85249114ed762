//! Built-in resources that the API server serves under several group versions: what `matchPolicy: Equivalent` means
//! where there is no API server to ask. Upstream: `runtime.EquivalentResourceMapper`, filled as resources are served.

use super::request::GroupVersionResource;

/// One resource under all its group versions.
struct Family {
    resource: &'static str,
    /// What supported clusters serve.
    served: &'static [(&'static str, &'static str)],
    /// What only older clusters served. A manifest may still be written so; a rule can't match through it.
    legacy: &'static [(&'static str, &'static str)],
}

const APPS_LEGACY: &[(&str, &str)] = &[("apps", "v1beta1"), ("apps", "v1beta2"), ("extensions", "v1beta1")];

const FAMILIES: &[Family] = &[
    Family { resource: "deployments", served: &[("apps", "v1")], legacy: APPS_LEGACY },
    Family { resource: "daemonsets", served: &[("apps", "v1")], legacy: APPS_LEGACY },
    Family { resource: "replicasets", served: &[("apps", "v1")], legacy: APPS_LEGACY },
    Family { resource: "statefulsets", served: &[("apps", "v1")], legacy: &[("apps", "v1beta1"), ("apps", "v1beta2")] },
    Family { resource: "cronjobs", served: &[("batch", "v1")], legacy: &[("batch", "v1beta1"), ("batch", "v2alpha1")] },
    Family {
        resource: "horizontalpodautoscalers",
        served: &[("autoscaling", "v1"), ("autoscaling", "v2")],
        legacy: &[("autoscaling", "v2beta1"), ("autoscaling", "v2beta2")],
    },
    Family {
        resource: "events",
        served: &[("", "v1"), ("events.k8s.io", "v1")],
        legacy: &[("events.k8s.io", "v1beta1")],
    },
    Family {
        resource: "ingresses",
        served: &[("networking.k8s.io", "v1")],
        legacy: &[("networking.k8s.io", "v1beta1"), ("extensions", "v1beta1")],
    },
    Family {
        resource: "networkpolicies",
        served: &[("networking.k8s.io", "v1")],
        legacy: &[("extensions", "v1beta1")],
    },
    Family { resource: "poddisruptionbudgets", served: &[("policy", "v1")], legacy: &[("policy", "v1beta1")] },
    Family {
        resource: "endpointslices",
        served: &[("discovery.k8s.io", "v1")],
        legacy: &[("discovery.k8s.io", "v1beta1")],
    },
    Family {
        resource: "customresourcedefinitions",
        served: &[("apiextensions.k8s.io", "v1")],
        legacy: &[("apiextensions.k8s.io", "v1beta1")],
    },
];

/// The other group versions under which supported clusters serve the resource.
pub fn equivalents(resource: GroupVersionResource<'_>) -> impl Iterator<Item = GroupVersionResource<'static>> {
    let itself = (resource.group, resource.version);
    FAMILIES
        .iter()
        .find(|family| {
            family.resource == resource.resource && family.served.iter().chain(family.legacy).any(|gv| *gv == itself)
        })
        .into_iter()
        .flat_map(|family| family.served.iter().map(move |gv| (family.resource, *gv)))
        .filter(move |(_, gv)| *gv != itself)
        .map(|(resource, (group, version))| GroupVersionResource { group, version, resource })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_clusters_serve_twice() {
        let others = |group, version, resource| {
            equivalents(GroupVersionResource { group, version, resource })
                .map(|gvr| format!("{}/{}", gvr.group, gvr.version))
                .collect::<Vec<_>>()
        };
        assert_eq!(others("autoscaling", "v1", "horizontalpodautoscalers"), ["autoscaling/v2"]);
        assert_eq!(others("extensions", "v1beta1", "deployments"), ["apps/v1"]);
        assert_eq!(others("apps", "v1", "deployments"), Vec::<String>::new());
        assert_eq!(others("events.k8s.io", "v1", "events"), ["/v1"]);
        assert_eq!(others("example.com", "v1", "deployments"), Vec::<String>::new());
    }
}
