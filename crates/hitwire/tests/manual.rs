//! What the command line says of itself and of its settings: `check-config`, `completions`, `man`.

use crate::support::{run, run_with_input};

#[tokio::test]
async fn the_settings_in_effect_are_printed_as_a_file_that_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hitwire.toml");
    let text = "env = \"staging\"\nlisten = \"127.0.0.1:9000\"\n[retention]\nage = \"2d\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let secret = "a-secret-that-nobody-may-read-here";
    let variables = [("HITWIRE_ADMIN_TOKEN", secret), ("HITWIRE_RETENTION_SIZE", "1GiB")];
    let checked =
        run_with_input(&["check-config", "--config", file, "--listen", "[::1]:7000"], &variables, b"").await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(!checked.stdout.contains(secret), "{}", checked.stdout);
    for line in ["env = \"staging\"", "listen = \"[::1]:7000\"", "age = \"2d\"", "size = \"1GiB\""] {
        assert!(checked.stdout.lines().any(|printed| printed == line), "{line}:\n{}", checked.stdout);
    }
    let args = ["check-config", "--config", file, "--listen", "[::1]:7000", "--output", "json"];
    let settings: serde_json::Value =
        serde_json::from_str(&run_with_input(&args, &variables, b"").await.stdout).expect("JSON");
    assert_eq!((&settings["listen"], &settings["retention"]["age"]), (&"[::1]:7000".into(), &"2d".into()));
    let again = dir.path().join("again.toml");
    std::fs::write(&again, &checked.stdout).unwrap();
    let again = run(&["check-config", "--config", again.to_str().unwrap()]).await;
    let settings =
        |text: &str| text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    assert_eq!(settings(&again.stdout), settings(&checked.stdout));
    assert!(!dir.path().join("hitwire-data").exists(), "nothing was started");
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_as_serve_refuses_them() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for flags in [
        &["--env", "Not A Label"][..],
        &["--listen", "0.0.0.0:0"],
        &["--log", "no=such=filter"],
        &["--config", "/nonexistent.toml"],
    ] {
        let checked = run(&[&["check-config", "--data", data], flags].concat()).await;
        let served = run(&[&["serve", "--data", data], flags].concat()).await;
        assert_eq!((checked.code, served.code), (Some(2), Some(2)), "{flags:?}");
        assert_eq!(checked.stderr, served.stderr, "{flags:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_refused_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tls.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let file = file.to_str().unwrap();
    let checked = run(&["check-config", "--tls-cert", file, "--tls-key", file]).await;
    assert_eq!(checked.code, Some(2));
    assert!(
        checked.stderr.starts_with("error: the API's certificate cannot be used: "),
        "{}",
        checked.stderr
    );
}

#[tokio::test]
async fn shells_complete_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).await;
        assert_eq!(script.code, Some(0), "{shell}: {}", script.stderr);
        // Not all of them complete values.
        let values = matches!(shell, "bash" | "zsh" | "fish").then_some("security_issue_high");
        for word in ["integration", "header-from-env"].into_iter().chain(values) {
            assert!(script.stdout.contains(word), "{shell} does not know {word}");
        }
    }
}

#[tokio::test]
async fn bash_completes_what_is_begun() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("completion");
    std::fs::write(&script, run(&["completions", "bash"]).await.stdout).unwrap();
    let asked = format!(
        "source {}; COMP_WORDS=(hitwire integration dis); COMP_CWORD=2; _hitwire hitwire dis integration; echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let answered = tokio::process::Command::new("bash").args(["-c", &asked]).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answered.stdout).trim(), "disable");
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man1");
    let written = run(&["man", "--dir", pages.to_str().unwrap()]).await;
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    for page in ["hitwire.1", "hitwire-serve.1", "hitwire-integration.1", "hitwire-integration-add.1"] {
        let text =
            std::fs::read_to_string(pages.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".TH"), "{page}");
    }
    let add = std::fs::read_to_string(pages.join("hitwire-integration-add.1")).unwrap();
    assert!(add.contains("HITWIRE_SERVER"), "the flags of the server are on it too");
    let own = run(&["man"]).await;
    assert!(
        own.stdout.contains("security events") || own.stdout.contains("Security events"),
        "{}",
        own.stdout
    );
}
