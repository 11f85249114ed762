//! Help texts, which are written in lines of the source's width and read in those of a terminal's.

use clap::Command;

/// The command with the texts below its flags in paragraphs of one line each, which clap breaks where the terminal
/// ends; lines that are inset, as examples are, stay as they are.
pub fn reflowed(command: Command) -> Command {
    let text = command.get_after_help().map(ToString::to_string);
    let command = match text {
        Some(text) => command.after_help(reflow(&text)),
        None => command,
    };
    command.mut_subcommands(reflowed)
}

fn reflow(text: &str) -> String {
    let mut reflowed = String::with_capacity(text.len());
    let mut continues = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        if !reflowed.is_empty() {
            reflowed.push(if is_prose && continues { ' ' } else { '\n' });
        }
        reflowed.push_str(line);
        // A heading stands alone.
        continues = is_prose && !line.ends_with(':');
    }
    reflowed
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn joins_the_lines_of_a_paragraph_and_no_others() {
        let text = "One\ntwo.\n\nExamples:\n  portcullis a\n  portcullis b\n\nExit codes: 0,\n1.";
        let expected = "One two.\n\nExamples:\n  portcullis a\n  portcullis b\n\nExit codes: 0, 1.";
        assert_eq!(reflow(text), expected);
    }

    /// The help of each command, as a terminal of that width shows it.
    fn helps(width: usize) -> Vec<(String, String)> {
        fn add(command: &mut Command, name: &str, helps: &mut Vec<(String, String)>) {
            helps.push((name.to_owned(), command.render_long_help().to_string()));
            for command in command.get_subcommands_mut() {
                let name = format!("{name} {}", command.get_name());
                add(command, &name, helps);
            }
        }
        let mut helps = Vec::new();
        let command = crate::cli::Cli::command().term_width(width).mut_subcommands(|command| command.term_width(width));
        add(&mut reflowed(command), "portcullis", &mut helps);
        helps
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_and_no_paragraph_breaks_early() {
        for width in [80, 120] {
            for (name, help) in helps(width) {
                let lines: Vec<_> = help.lines().collect();
                for pair in lines.windows(2) {
                    let [line, next] = pair else { continue };
                    assert!(line.chars().count() <= width, "{name} at {width}: {line}");
                    let is_prose = |line: &str| line.starts_with(|c: char| c.is_alphabetic());
                    let Some(word) = next.split(' ').next().filter(|_| is_prose(line) && is_prose(next)) else {
                        continue;
                    };
                    let fits = line.chars().count() + 1 + word.chars().count() <= width;
                    assert!(!fits || line.ends_with(':'), "{name} at {width} breaks early: {line}");
                }
            }
        }
    }
}
