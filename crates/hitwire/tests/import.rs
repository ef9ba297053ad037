//! `hitwire import`: a whole audit log into a running server.

use crate::support::{Finished, RunningServer, TOKEN, integration, run, run_with_input};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/modsecurity-audit.jsonl");

async fn import(server: &RunningServer, file: &str) -> Finished {
    run_with_input(
        &["import", "modsecurity", file, "--server", server.url()],
        &[("HITWIRE_TOKEN", TOKEN)],
        b"",
    )
    .await
}

fn figure(output: &str, name: &str) -> u64 {
    let line = output.lines().find_map(|line| line.trim_start().strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("the summary has no {name:?}:\n{output}"));
    line.split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_sent() {
    let sample = std::fs::read(SAMPLE).unwrap();
    let finished = run_with_input(&["import", "modsecurity", "-", "--dry-run"], &[], &sample).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    insta::assert_snapshot!("dry_run_summary", finished.stderr);
    let first: Vec<_> = finished.stdout.lines().take(12).collect();
    insta::assert_snapshot!("dry_run_hits", first.join("\n"));
}

#[tokio::test]
async fn a_dry_run_in_json_gives_objects_that_the_api_takes() {
    let dry = run(&["import", "modsecurity", SAMPLE, "--dry-run", "--output", "json"]).await;
    let older = run(&["import", "modsecurity", SAMPLE, "--dry-run", "--json"]).await;
    assert_eq!(older.stdout, dry.stdout, "scripts may go on with --json");
    let hits: Vec<serde_json::Value> =
        dry.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let data = tempfile::tempdir().unwrap();
    let server = RunningServer::start(data.path(), &[]).await;
    assert_eq!(server.accept(&hits.into()).await, (dry.stdout.lines().count() as u64, 0));
}

#[tokio::test]
async fn a_file_imported_twice_gives_duplicates() {
    let data = tempfile::tempdir().unwrap();
    let server = RunningServer::start(data.path(), &[]).await;
    let first = import(&server, SAMPLE).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let hits = figure(&first.stdout, "hits");
    assert_eq!((figure(&first.stdout, "accepted"), figure(&first.stdout, "duplicates")), (hits, 0));
    let second = import(&server, SAMPLE).await;
    assert_eq!((figure(&second.stdout, "accepted"), figure(&second.stdout, "duplicates")), (0, hits));
}

#[tokio::test]
async fn programs_read_what_became_of_the_file() {
    let data = tempfile::tempdir().unwrap();
    let server = RunningServer::start(data.path(), &[]).await;
    let args = ["import", "modsecurity", SAMPLE, "--server", server.url(), "--output", "json"];
    let imported = run_with_input(&args, &[("HITWIRE_TOKEN", TOKEN)], b"").await;
    let counts: serde_json::Value = serde_json::from_str(&imported.stdout).expect("one document");
    assert!(counts["hits"].as_u64() > Some(0), "{counts}");
    assert_eq!((&counts["accepted"], &counts["duplicates"]), (&counts["hits"], &0.into()), "{counts}");
}

#[tokio::test]
async fn imported_hits_are_delivered() {
    let data = tempfile::tempdir().unwrap();
    let server = RunningServer::start(data.path(), &[]).await;
    let options = hitwire::listen::Options::on_loopback().unwrap();
    let mut receiver = hitwire::listen::Listener::start(options).await.unwrap();
    integration::of_hits(&server, &receiver, serde_json::json!({})).await;
    let imported = import(&server, SAMPLE).await;
    let mut missing = figure(&imported.stdout, "hits") as usize;
    while missing > 0 {
        let received = crate::support::in_time("the imported hits", receiver.events.recv()).await.unwrap();
        missing -= received.object_count();
    }
}

#[tokio::test]
async fn a_line_that_is_no_record_is_counted_and_said_where() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    let mut sample = b"this is no record\n".to_vec();
    sample.extend(std::fs::read(SAMPLE).unwrap());
    std::fs::write(&file, sample).unwrap();
    let finished = run(&["import", "modsecurity", file.to_str().unwrap(), "--dry-run"]).await;
    assert_eq!(finished.code, Some(0));
    assert!(finished.stderr.contains("at byte 0: this line is not JSON"), "{}", finished.stderr);
    assert_eq!(figure(&finished.stderr, "skipped"), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_in_one_sentence() {
    let data = tempfile::tempdir().unwrap();
    let server = RunningServer::start(data.path(), &[]).await;
    let nowhere = run(&["import", "modsecurity", "/nonexistent/audit.log", "--dry-run"]).await;
    assert_eq!(nowhere.code, Some(2), "the user has to name another file");
    assert_eq!(
        nowhere.stderr,
        "error: cannot open /nonexistent/audit.log: No such file or directory (os error 2)\n"
    );

    let nobody = run_with_input(
        &["import", "modsecurity", SAMPLE, "--server", "http://127.0.0.1:1"],
        &[("HITWIRE_TOKEN", TOKEN)],
        b"",
    )
    .await;
    assert_eq!(nobody.code, Some(1));
    assert_eq!(
        nobody.stderr,
        "error: cannot connect to http://127.0.0.1:1: Connection refused (os error 111); is hitwire serve running there?\n"
    );

    let without_token = run(&["import", "modsecurity", SAMPLE, "--server", server.url()]).await;
    assert_eq!(without_token.code, Some(2));
    assert!(without_token.stderr.contains("HITWIRE_TOKEN"), "{}", without_token.stderr);

    let wrong_token = run_with_input(
        &["import", "modsecurity", SAMPLE, "--server", server.url()],
        &[("HITWIRE_TOKEN", "not-the-token-of-this-server-at-all")],
        b"",
    )
    .await;
    assert_eq!(wrong_token.code, Some(1));
    assert!(wrong_token.stderr.contains("401"), "{}", wrong_token.stderr);
    assert_eq!(wrong_token.stderr.lines().count(), 1, "{}", wrong_token.stderr);
}
