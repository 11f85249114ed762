//! A CEL source text: compiled, and if that succeeds evaluated within its limits.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use portcullis::cel::{Env, Evaluator, Expect, Inputs, Program, cost};
use portcullis::json::{self, Arena, Limits};

const OBJECT: &[u8] = br#"{"a":[1,2.5,"x",null,true,{"b":"c"}],"s":"text","n":7,"m":{"k":"v"}}"#;

fuzz_target!(|source: &str| {
    let env = Env { minor: 37, params: true, authorizer: true, patch_types: true, ..Env::default() };
    let Ok(program) = Program::compile(source, &env, Expect::Any) else { return };
    let arena = Arena::new();
    let object = json::parse(&arena, OBJECT, &Limits::default()).expect("the object is JSON");
    let inputs = Inputs { object, params: object.into(), ..Inputs::default() };
    let deadline = Some(Instant::now() + Duration::from_secs(5));
    let mut evaluator = Evaluator::new(&arena, inputs, &[], cost::BINDING_BUDGET, deadline);
    let succeeded = evaluator.evaluate(&program).is_ok();
    assert!(!succeeded || evaluator.cost() <= cost::EXPRESSION_LIMIT);
});
