//! Whether an error of the command line names only flags that exist where they are to be used.

use super::process::plain_run;
use std::collections::HashMap;

/// Fails if `stderr`, which a call with `args` wrote, names a flag that this command does not have. A flag that stands after
/// `hitwire COMMAND` must be one of that command.
pub(crate) async fn check(args: &[&str], stderr: &str) {
    let mut pages = Pages::default();
    let own = pages.command(args.iter().copied()).await;
    for line in stderr.lines() {
        let mut command = own.clone();
        let mut words = line.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let bare = word.trim_matches(|char: char| !char.is_ascii_alphanumeric() && char != '-');
            if bare == "hitwire" && !word.ends_with(ends_a_command) {
                let rest: Vec<_> = words.clone().collect();
                command = pages.command(rest.iter().map(|word| word.trim_end_matches(ends_a_command))).await;
            }
            let flag = bare.split('=').next().unwrap_or(bare);
            let given = args.iter().any(|arg| *arg == flag || arg.starts_with(&format!("{flag}=")));
            let is_flag = flag
                .strip_prefix("--")
                .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
            if is_flag && !given {
                let page = pages.of(&command).await;
                let known = page.split(|c: char| c.is_whitespace() || c == ',').any(|word| word == flag);
                assert!(known, "{args:?} names {flag}, which hitwire {command:?} does not have:\n{stderr}");
            }
            if word.ends_with(ends_a_command) {
                command.clone_from(&own);
            }
        }
    }
}

/// What ends the command that a sentence quotes.
fn ends_a_command(char: char) -> bool {
    matches!(char, '`' | ')' | ';' | ',' | '.' | ':')
}

/// Pages of help, each asked for once.
#[derive(Default)]
struct Pages(HashMap<Vec<String>, String>);

impl Pages {
    async fn of(&mut self, command: &[String]) -> String {
        if let Some(page) = self.0.get(command) {
            return page.clone();
        }
        let args: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let page = plain_run(&args, &[], b"").await.stdout;
        self.0.insert(command.to_vec(), page.clone());
        page
    }

    /// The command that these words begin with.
    async fn command<'a>(&mut self, words: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut command = Vec::new();
        for word in words {
            let page = self.of(&command).await;
            let is_command = names_of_commands(&page).any(|name| name == word) || (word == "attempts");
            if !is_command {
                break;
            }
            command.push(word.to_owned());
        }
        command
    }
}

/// The commands that a page of help lists.
pub(crate) fn names_of_commands(page: &str) -> impl Iterator<Item = &str> {
    let list = page.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let list = list.split_once("\n\n").map_or(list, |(list, _)| list);
    // A line of a command is indented by two blanks; one that goes on, by more.
    list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty())
}
