//! The arguments of a test program that compares generated cases.

use std::process::ExitCode;

/// Which cases, with what continuous integration runs as defaults.
pub struct Arguments {
    pub count: u64,
    pub seed: u64,
    /// The number of the first case, to see one again.
    pub first: u64,
    /// How many differences of each kind are cut down and shown.
    pub show: usize,
    /// What is no flag: files to read in place of what is generated.
    pub files: Vec<String>,
}

impl Arguments {
    /// The arguments of this process, with `count` cases where nothing is said.
    ///
    /// # Errors
    /// A flag that there isn't, or one without its number: said on standard output, with the code to exit with.
    pub fn read(count: u64, takes_files: bool) -> Result<Self, ExitCode> {
        Self::parse(count, takes_files).map_err(|message| {
            println!("{message}");
            ExitCode::from(2)
        })
    }

    fn parse(count: u64, takes_files: bool) -> Result<Self, String> {
        let mut arguments = Self { count, seed: 1, first: 0, show: 3, files: Vec::new() };
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            if takes_files && !argument.starts_with("--") {
                arguments.files.push(argument);
                continue;
            }
            let value = given.next().and_then(|value| value.parse().ok());
            let value: u64 = value.ok_or_else(|| format!("{argument} needs a number"))?;
            match argument.as_str() {
                "--count" => arguments.count = value,
                "--seed" => arguments.seed = value,
                "--first" => arguments.first = value,
                "--show" => arguments.show = value as usize,
                _ => return Err(format!("unknown argument {argument}; there are --count, --seed, --first and --show")),
            }
        }
        Ok(arguments)
    }
}
