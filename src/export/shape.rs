//! Where workloads have their pod template: one native policy serves all that have it in the same place.

use crate::engine::{Workload, workloads};

/// A place of the pod template, and the workloads that have it there.
#[derive(Debug)]
pub struct Shape {
    /// What the names of its policies end with.
    pub suffix: &'static str,
    /// The fields that lead to the template.
    pub template: &'static [&'static str],
    /// The workloads.
    pub workloads: Vec<&'static Workload>,
}

impl Shape {
    /// The template's field below an object, for messages: `spec.template`.
    pub fn path(&self) -> String {
        self.template.join(".")
    }
}

/// All shapes, the commonest first.
pub fn shapes() -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    for workload in workloads() {
        match shapes.iter_mut().find(|shape| shape.template == workload.template) {
            Some(shape) => shape.workloads.push(workload),
            None => shapes.push(Shape {
                suffix: match workload.resource {
                    alone @ ("cronjobs" | "podtemplates") => alone,
                    _ => "workloads",
                },
                template: workload.template,
                workloads: vec![workload],
            }),
        }
    }
    shapes
}
