//! The files of docs/receivers.md: fenced blocks whose first line names one after the language.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../../../docs/receivers.md");

/// A place on the page, and what stands there on this machine.
pub(super) type Instead<'a> = (&'a str, &'a str);

/// Writes a file of the page into `dir`, with the places of this machine.
pub(super) fn write(dir: &Path, name: &str, instead: &[Instead<'_>]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text(name, instead)).expect("the file is written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is made executable");
    path
}

/// The text of a file of the page, with the places of this machine.
pub(super) fn text(name: &str, instead: &[Instead<'_>]) -> String {
    let (_, mut text) =
        files().into_iter().find(|(found, _)| *found == name).expect("the page shows this file");
    for (shown, here) in instead {
        assert!(text.contains(shown), "{name} does not say {shown:?} any more");
        text = text.replace(shown, here);
    }
    text
}

fn files() -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(opening) = line.strip_prefix("```") {
            let content = lines.by_ref().take_while(|line| *line != "```");
            let content = content.fold(String::new(), |text, line| text + line + "\n");
            let (_, name) = opening.split_once(' ').unwrap_or_default();
            files.push((name, content));
        }
    }
    files
}

#[test]
fn every_file_on_the_page_has_a_name_that_a_test_runs_it_by() {
    let names: Vec<_> = files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "hooks.json",
            "keep-hits",
            "syslog-ng.conf",
            "hitwire_source.py",
            "nginx.conf",
            "receive.py",
            "receive.mjs",
            "verify-v1a.mjs",
        ]
    );
}

#[test]
fn the_page_names_the_versions_that_the_tests_run() {
    for (name, pinned) in [
        ("python", include_str!("requirements.txt").trim().split_once("==").expect("a pinned version").1),
        (
            "javascript",
            include_str!("package.json")
                .split(r#""standardwebhooks": ""#)
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap(),
        ),
    ] {
        assert!(PAGE.contains(&format!("Tested: version {pinned}.")), "{name}: {pinned}");
    }
}
