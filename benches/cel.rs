//! CEL alone: three expressions of the kinds that policies are made of, on a Pod of 6.6 KB, cost tracking on; and what
//! compiling the first of them takes.

#![expect(clippy::panic, reason = "a benchmark that can't begin says why")]

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::cel::{Env, Evaluator, Expect, Inputs, Program, cost};
use portcullis::json::{self, Arena, Limits, Value};

const POD: &str = include_str!("data/pod-6k.json");

/// Presence tests and a quantifier over all containers.
const PRIVILEGED: &str = "object.spec.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged) \
                          || !c.securityContext.privileged)";
/// Text: regular expressions and suffixes.
const IMAGES: &str = "object.spec.containers.all(c, c.image.matches('^[a-z0-9.-]+(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]+)?\
                      (@sha256:[a-f0-9]{64})?$') && !c.image.endsWith(':latest'))";
/// Filters, maps, macros within macros, quantities.
const RESOURCES: &str = "object.spec.containers.filter(c, has(c.resources) && has(c.resources.limits))\
                         .map(c, c.resources.limits.memory)\
                         .all(m, quantity(m).isLessThan(quantity('64Gi'))) && \
                         object.spec.containers.map(c, c.env.filter(e, has(e.value)).map(e, e.name + '=' + e.value))\
                         .all(l, l.size() < 50 && l.all(s, !s.startsWith('SECRET_')))";

fn evaluate(c: &mut Criterion) {
    let env = Env { minor: 36, ..Env::default() };
    for (name, source) in [("E1-privileged", PRIVILEGED), ("E2-images", IMAGES), ("E3-resources", RESOURCES)] {
        let program = Program::compile(source, &env, Expect::Bool).unwrap_or_else(|error| panic!("{name}: {error}"));
        let document = Arena::new();
        let object = json::parse(&document, POD.as_bytes(), &Limits::default()).unwrap_or(Value::Null);
        let mut arena = Arena::with_capacity(64 * 1024);
        c.bench_function(&format!("cel/{name}"), |b| {
            b.iter(|| {
                let inputs = Inputs { object, ..Inputs::default() };
                let mut evaluator = Evaluator::new(&arena, inputs, &[], cost::BINDING_BUDGET, None);
                let verdict = matches!(evaluator.evaluate(&program), Ok(portcullis::cel::Value::Bool(true)));
                assert!(verdict, "the Pod satisfies all three");
                drop(evaluator);
                arena.reset();
            });
        });
    }
    c.bench_function("cel/compile-E1", |b| b.iter(|| Program::compile(PRIVILEGED, &env, Expect::Bool).is_ok()));
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
