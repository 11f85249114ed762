//! Calls of functions: their arguments, and what they cost where something fails.
//!
//! Upstream: `evalUnary`, `evalBinary` and `evalVarArgs` in `cel-go/interpreter/interpretable.go`; `runtimecost.go`.

use super::dispatch::{fits, named, no_overload};
use super::{Machine, Outcome, sound, stop_if_cancelled};
use crate::cel::function::{Error, Limit};
use crate::cel::plan::node::Call;
use crate::cel::value::Value;

/// The positions of arguments that failed, and whether a failure comes after all arguments.
pub(in crate::cel) type Failed = u8;
const LAST: Failed = 128;

/// Stands for an argument that failed, where cost goes by size: upstream's errors have the size 1.
pub(in crate::cel) const FAILED: Value<'static> = Value::Null;

impl<'a> Machine<'a, '_> {
    pub(in crate::cel) fn call(&mut self, call: &'a Call) -> Outcome<'a> {
        match &*call.args {
            [] => self.apply(call, &[]),
            [only] => {
                let only = self.eval(only);
                match only {
                    Ok(value) => self.apply(call, &[value]),
                    Err(error) => self.fail(call, &[FAILED], 1 | LAST, error),
                }
            }
            [first, second] => {
                let first = self.eval(first);
                stop_if_cancelled(&first)?;
                if call.sequential && first.is_err() {
                    return first;
                }
                let second = self.eval(second);
                match (first, second) {
                    (Ok(first), Ok(second)) => self.apply(call, &[first, second]),
                    (Ok(first), Err(error)) => self.fail(call, &[first, FAILED], 2 | LAST, error),
                    (Err(error), Ok(second)) => self.fail(call, &[FAILED, second], 1, error),
                    (Err(error), second @ Err(_)) => {
                        stop_if_cancelled(&second)?;
                        self.fail(call, &[FAILED, FAILED], 3 | LAST, error)
                    }
                }
            }
            [first, second, last] => {
                let (first, second) = (self.eval(first)?, self.eval(second)?);
                match self.eval(last) {
                    Ok(last) => self.apply(call, &[first, second, last]),
                    Err(error) => self.fail(call, &[first, second, FAILED], 4 | LAST, error),
                }
            }
            args => {
                let mut values = Vec::with_capacity(args.len());
                for (at, arg) in args.iter().enumerate() {
                    match self.eval(arg) {
                        Ok(value) => values.push(value),
                        Err(error) if at + 1 < args.len() => return Err(error),
                        Err(error) => {
                            values.push(FAILED);
                            return self.fail(call, &values, 1 << at.min(6) | LAST, error);
                        }
                    }
                }
                self.apply(call, &values)
            }
        }
    }

    fn apply(&mut self, call: &'a Call, args: &[Value<'a>]) -> Outcome<'a> {
        let result = if call.guard.is_empty() || fits(&call.guard, args) {
            (call.eval)(self.arena, args)
        } else {
            Err(no_overload(call.function.name, args))
        };
        if !self.arena.fits(0) {
            return Err(Error::Cancelled(Limit::Memory));
        }
        match result {
            Ok(value) => {
                self.charge(call.cost.charge(args, Some(&value)))?;
                sound(value)
            }
            Err(error) if call.prepared => self.fail(call, args, LAST, error),
            Err(error) => self.fail(call, args, LAST, named(error, call.function, args)),
        }
    }

    /// Charges a call that gave no value. `failed` are the arguments that are errors themselves, which upstream counts
    /// as ones; it leaves out a call that looks at its arguments one by one unless the last of them is meant.
    #[cold]
    fn fail(&mut self, call: &'a Call, args: &[Value<'a>], failed: Failed, error: Error) -> Outcome<'a> {
        if error.is_final() || (call.sequential && failed & LAST == 0) {
            return Err(error);
        }
        call.cost.panics(args, failed)?;
        self.charge(call.cost.charge(args, None))?;
        self.cost = self.cost.checked_sub(call.cost.rebate(args)).ok_or(Error::Cancelled(Limit::Cost))?;
        Err(error)
    }
}
