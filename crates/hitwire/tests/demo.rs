//! `hitwire demo`, as a newcomer runs it.

use crate::support::{Program, run};
use rustix::process::Signal;

/// The number that a line of the summary begins with.
fn figure(output: &str, name: &str) -> u64 {
    let line = output.lines().find_map(|line| line.trim_start().strip_prefix(name)).unwrap_or_else(|| {
        panic!("the summary has no {name:?}:\n{output}");
    });
    line.split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}

#[tokio::test]
async fn the_demo_ends_well_and_its_summary_adds_up() {
    let finished = run(&["demo", "--rate", "200"]).await;
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let output = finished.stdout;
    let sample = include_bytes!("../demo/modsecurity-audit.jsonl");
    assert_eq!(figure(&output, "records"), sample.split_inclusive(|byte| *byte == b'\n').count() as u64);

    let hits = figure(&output, "hits");
    let shown =
        output.lines().filter(|line| line.contains(" blocked ") || line.contains(" monitored ")).count();
    assert_eq!(shown as u64, hits, "each hit is shown on a line of its own");
    let requests = output.lines().filter(|line| line.contains("POST /")).count();
    assert_eq!(requests as u64, figure(&output, "requests"));
    assert!(output.contains("all signatures verified, 0 failures"), "{output}");
    assert!(output.contains(&format!("of {hits} expected")), "{output}");
}

#[tokio::test]
async fn the_hits_that_arrive_are_those_that_the_sample_converts_to() {
    let finished = run(&["demo", "--rate", "200"]).await;
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/modsecurity-audit.jsonl");
    let converted = run(&["import", "modsecurity", sample, "--dry-run"]).await;
    let hits = |output: &str| {
        let mut lines: Vec<_> = output
            .lines()
            .filter(|line| {
                line.starts_with("  ") && (line.contains(" blocked ") || line.contains(" monitored "))
            })
            .filter(|line| line.as_bytes().get(4) == Some(&b':'))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    assert!(!hits(&converted.stdout).is_empty());
    assert_eq!(hits(&finished.stdout), hits(&converted.stdout));
}

#[tokio::test]
async fn fewer_and_more_records_than_the_sample_has_can_be_asked_for() {
    for records in ["1", "250"] {
        let finished = run(&["demo", "--records", records, "--rate", "1000"]).await;
        assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
        assert_eq!(figure(&finished.stdout, "records").to_string(), records);
    }
}

#[tokio::test]
async fn a_kept_demo_says_how_to_look_around_and_its_lines_work() {
    let mut demo = Program::start(&["demo", "--keep", "--records", "3", "--rate", "100"], &[]);
    demo.line_with("Everything stays up").await;
    let mut commands = Vec::new();
    loop {
        let line = demo.next_line().await.unwrap();
        if line.contains("Ctrl-C") {
            break;
        }
        match line.strip_prefix("    ") {
            Some(continued) if line.starts_with("      ") => {
                let last: &mut String = commands.last_mut().unwrap();
                *last = format!("{} {}", last.trim_end_matches('\\'), continued.trim());
            }
            Some(command) => commands.push(command.to_owned()),
            None => {}
        }
    }
    assert!(commands.len() >= 6, "{commands:?}");
    let curl = std::process::Command::new("curl").arg("--version").output().is_ok();
    for command in commands.iter().filter(|command| curl && command.starts_with("curl")) {
        let output =
            std::process::Command::new("sh").args(["-c", &format!("{command} -f")]).output().unwrap();
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let attack = commands.iter().find(|command| command.starts_with("head")).unwrap();
    assert!(std::process::Command::new("sh").args(["-c", attack]).status().unwrap().success());
    demo.line_with("127.0.4.85").await;
    demo.signal(Signal::INT);
    assert_eq!(demo.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_interrupted_demo_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Program::start(&["demo"], &[("TMPDIR", dir.path().to_str().unwrap())]);
    demo.line_with("blocked").await;
    demo.signal(Signal::TERM);
    assert_eq!(demo.ended().await.code(), Some(0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was left behind");
}
