//! Gives kubectl's own reader and ours the same generated and damaged texts, and prints where they differ.
//!
//! `cargo test --test yaml -- [--count N] [--seed N] [--first N] [--show N] [FILE…]`; needs the reader of
//! `tests/yamlreader`. Files are read, and damaged `--count` times, in place of generated texts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../support/arguments.rs"]
mod arguments;
mod compare;
mod damage;
mod generate;
mod json_values;
#[path = "../support/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::process::ExitCode;

use arguments::Arguments;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compare::{Verdict, compare};
use program::{Program, built};
use random::Random;

/// Where a ready reader is named.
const VARIABLE: &str = "PORTCULLIS_YAMLREADER";

/// How many texts are asked about at once.
const BATCH: usize = 1000;

fn main() -> ExitCode {
    let arguments = match Arguments::read(60_000, true) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let mut reader = Program::start(&built("yamlreader", VARIABLE), &[]);
    let mut tally = Tally::default();
    let mut batch: Vec<Vec<u8>> = Vec::new();
    let mut ask = |batch: &mut Vec<Vec<u8>>, tally: &mut Tally| {
        let question = |text: &Vec<u8>| serde_json::json!({ "text": STANDARD.encode(text) }).to_string();
        let questions: Vec<_> = batch.iter().map(question).collect();
        let (answers, ()) = reader.answers(&questions, || ());
        for (text, answer) in batch.iter().zip(answers) {
            tally.add(text, compare(text, &answer), arguments.show);
        }
        batch.clear();
    };
    for text in texts(&arguments) {
        batch.push(text);
        if batch.len() == BATCH {
            ask(&mut batch, &mut tally);
        }
    }
    ask(&mut batch, &mut tally);
    tally.finish()
}

/// The texts to compare, each with every seed and number the same again.
fn texts(arguments: &Arguments) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
    let numbers = arguments.first..arguments.first + arguments.count;
    if arguments.files.is_empty() {
        return Box::new(numbers.map(|number| {
            let mut random = Random::of_stream(arguments.seed, number);
            let text = generate::text(&mut random);
            if random.chance(55) { damage::damaged(&mut random, text) } else { text }
        }));
    }
    Box::new(arguments.files.iter().flat_map(move |file| {
        let text = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let damaged = numbers.clone().map({
            let text = text.clone();
            move |number| damage::damaged(&mut Random::of_stream(arguments.seed, number), text.clone())
        });
        std::iter::once(text).chain(damaged)
    }))
}

#[derive(Default)]
struct Tally {
    same: usize,
    refused: usize,
    explained: BTreeMap<&'static str, Vec<String>>,
    explained_counts: BTreeMap<&'static str, usize>,
    different: usize,
}

impl Tally {
    fn add(&mut self, text: &[u8], verdict: Verdict, show: usize) {
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::BothRefuse => self.refused += 1,
            Verdict::Explained(why) => {
                *self.explained_counts.entry(why).or_default() += 1;
                let shown = self.explained.entry(why).or_default();
                if shown.len() < show.saturating_sub(3) {
                    shown.push(format!("{:?}", String::from_utf8_lossy(text)));
                }
            }
            Verdict::Different(how) => {
                self.different += 1;
                if self.different <= show {
                    println!("DIFFERENT {how}\n  {:?}", String::from_utf8_lossy(text));
                }
            }
        }
    }

    fn finish(self) -> ExitCode {
        println!("{} read alike, {} refused by both, {} different", self.same, self.refused, self.different);
        for (why, count) in &self.explained_counts {
            println!("{count:6} explained: {why}");
            for text in self.explained.get(why).into_iter().flatten() {
                println!("         {text}");
            }
        }
        if self.different == 0 && self.same > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
