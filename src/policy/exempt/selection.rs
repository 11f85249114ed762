//! What an exemption selects: objects, and of a pod some of its containers and images.

use crate::json::Value;
use crate::policy::glob::Glob;

/// `spec.match`; an empty list matches everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Match {
    pub namespaces: Vec<Glob>,
    pub kinds: Vec<Glob>,
    pub names: Vec<Glob>,
    /// Keys, each with what its value has to match.
    pub labels: Vec<(String, Glob)>,
    pub containers: Vec<Glob>,
    pub images: Vec<Glob>,
}

/// The object that a finding is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'s> {
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: &'s str,
    /// Its kind, as the user wrote it.
    pub kind: &'s str,
    /// Its name; `generateName` where the name is yet to be generated.
    pub name: &'s str,
    /// Its labels, and those of the pod that it will make, if that is judged: either may be selected by.
    pub labels: [Option<Value<'s>>; 2],
}

/// A part of a pod that runs, or brings, an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part<'s> {
    /// The container's name; `None` for an image that is mounted as a volume.
    pub container: Option<&'s str>,
    /// The image; empty if there is none.
    pub image: &'s str,
}

impl Match {
    pub fn is_empty(&self) -> bool {
        let Self { namespaces, kinds, names, labels, containers, images } = self;
        labels.is_empty() && [namespaces, kinds, names, containers, images].iter().all(|list| list.is_empty())
    }

    pub fn is_partial(&self) -> bool {
        !self.containers.is_empty() || !self.images.is_empty()
    }

    pub fn selects(&self, subject: &Subject<'_>) -> bool {
        any(&self.namespaces, subject.namespace)
            && any(&self.kinds, subject.kind)
            && any(&self.names, subject.name)
            && (self.labels.is_empty() || subject.labels.iter().flatten().any(|labels| self.selects_labels(*labels)))
    }

    fn selects_labels(&self, labels: Value<'_>) -> bool {
        let is_as_wanted = |(key, wanted): &(String, Glob)| {
            labels.get(key).and_then(|value| value.as_str()).is_some_and(|value| wanted.matches(value))
        };
        self.labels.iter().all(is_as_wanted)
    }

    pub fn selects_part(&self, part: Part<'_>) -> bool {
        let is_wanted = match part.container {
            Some(container) => any(&self.containers, container),
            None => self.containers.is_empty(),
        };
        is_wanted && any(&self.images, part.image)
    }
}

pub(super) fn any(globs: &[Glob], text: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob.matches(text))
}
