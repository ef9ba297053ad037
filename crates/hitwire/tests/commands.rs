//! What holds for every command: found by walking the pages of help, so that a new command is held to it too.

use crate::support::run;

/// A command without subcommands: its words, and its page of help.
struct Leaf {
    words: Vec<String>,
    help: String,
}

/// Every command without subcommands.
async fn leaves() -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut open = vec![Vec::<String>::new()];
    while let Some(words) = open.pop() {
        let args: Vec<_> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = run(&args).await.stdout;
        let commands = help.split("\nCommands:\n").nth(1).map(|rest| rest.split("\n\n").next().unwrap_or(rest));
        let names = commands.into_iter().flat_map(str::lines).filter_map(|line| {
            // A line of a command is indented by two blanks; one that goes on, by more.
            let name = line.strip_prefix("  ")?.split(' ').next()?;
            (!name.is_empty()).then(|| name.to_owned())
        });
        let below: Vec<_> = names.map(|name| [words.as_slice(), &[name]].concat()).collect();
        if below.is_empty() {
            leaves.push(Leaf { words, help });
        } else {
            open.extend(below);
        }
    }
    assert!(leaves.len() > 20, "the pages of help were not read: {} commands", leaves.len());
    leaves
}

/// Commands that print no data: they run, play, or describe the command line itself.
const WITHOUT_DATA: [&str; 4] = ["serve", "demo", "completions", "man"];

#[tokio::test]
async fn every_command_that_prints_data_has_the_same_flag_for_its_format() {
    for Leaf { words, help } in leaves().await {
        let words = words.join(" ");
        assert_eq!(
            help.contains("--output <FORMAT>"),
            !WITHOUT_DATA.contains(&words.as_str()),
            "hitwire {words}:\n{help}"
        );
        assert!(!help.contains("--json"), "another spelling of hitwire {words}:\n{help}");
        let wrong: Vec<_> = words.split(' ').chain(["--output", "yaml"]).collect();
        if !WITHOUT_DATA.contains(&words.as_str()) {
            let refused = run(&wrong).await;
            assert_eq!(refused.code, Some(2), "hitwire {words}");
            assert!(refused.stderr.contains("text, json"), "hitwire {words}: {}", refused.stderr);
        }
    }
}
