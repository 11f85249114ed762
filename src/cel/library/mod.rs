//! The function libraries of the Kubernetes CEL environment, one file for each upstream library.
//!
//! A library knows values and nothing else: no parser, no checker, no evaluator. Which overload exists in which
//! Kubernetes version stands beside the overload; where upstream spreads one name over several libraries, the
//! name's only [`Function`] is in [`shared`] and asks the values.

mod authz;
mod cidr;
mod format;
mod go_sort;
mod ip;
mod jsonpatch;
mod lists;
mod lists_ext;
mod optionals;
mod quantity;
pub mod re2;
mod re2_class;
mod regex;
mod semver;
mod sets;
mod shared;
pub(in crate::cel) mod standard;
mod strings;
mod strings_format;
mod text;
mod urls;

use super::function::Function;

pub use lists::sum_of;
pub use regex::prepared as find_prepared;
pub use strings_format::format_clause;

/// The functions of all libraries; no name occurs twice.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        authz::FUNCTIONS,
        cidr::FUNCTIONS,
        format::FUNCTIONS,
        ip::FUNCTIONS,
        jsonpatch::FUNCTIONS,
        lists::FUNCTIONS,
        lists_ext::FUNCTIONS,
        optionals::FUNCTIONS,
        quantity::FUNCTIONS,
        regex::FUNCTIONS,
        semver::FUNCTIONS,
        sets::FUNCTIONS,
        shared::FUNCTIONS,
        strings::FUNCTIONS,
        urls::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests;
