//! The API describes itself.

use crate::support::Hitwire;

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// The calls that a line of the documentation's tables names: methods, and paths without their queries.
fn calls(line: &str) -> Option<(Vec<String>, Vec<String>)> {
    let cell = line.strip_prefix("| ")?.split('|').next()?;
    let words: Vec<&str> =
        cell.split(['`', '[', ']', ',', ' ', '(']).filter(|word| !word.is_empty()).collect();
    let methods: Vec<_> =
        words.iter().filter(|word| METHODS.contains(word)).map(|word| word.to_lowercase()).collect();
    let paths = words.iter().filter(|word| word.starts_with('/'));
    let paths: Vec<_> = paths.map(|path| path.split('?').next().unwrap_or_default().to_owned()).collect();
    (!methods.is_empty() && !paths.is_empty()).then_some((methods, paths))
}

#[tokio::test]
async fn every_call_of_the_documentation_is_described_and_every_described_call_is_documented() {
    let hitwire = Hitwire::start().await;
    let document = hitwire.nobody().get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let documented: Vec<_> = include_str!("../../../../docs/api.md").lines().filter_map(calls).collect();
    assert!(documented.len() > 10, "{documented:?}");
    // What describes is not described.
    let described = |path: &str| !["/openapi.json", "/docs"].contains(&path);
    for (methods, paths) in &documented {
        for path in paths.iter().filter(|path| described(path)) {
            for method in methods {
                assert!(document["paths"][path].get(method).is_some(), "{method} {path} is not described");
            }
        }
    }
    for (path, item) in document["paths"].as_object().expect("an object") {
        for method in item.as_object().expect("an object").keys() {
            let found =
                documented.iter().any(|(methods, paths)| methods.contains(method) && paths.contains(path));
            assert!(found, "{method} {path} is not in docs/api.md");
        }
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_names_nothing() {
    let hitwire = Hitwire::start().await;
    let document = hitwire.nobody().get("/openapi.json").await.expect(200);
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("an object") {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "%ff" } else { part });
        let bad: Vec<_> = parts.collect();
        for method in item.as_object().expect("an object").keys().filter(|_| path.contains('{')) {
            let answer = hitwire.admin().call(&method.to_uppercase(), &bad.join("/")).await;
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{method} {path}");
            answer.expect(404);
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");
}

/// Each call with the statuses that it may be answered with. [`Caller`](crate::support::Caller) holds every answer of every test to
/// this list.
#[tokio::test]
async fn each_call_names_the_statuses_of_its_answers() {
    let hitwire = Hitwire::start().await;
    let document = hitwire.nobody().get("/openapi.json").await.expect(200);
    let mut lines = Vec::new();
    for (path, item) in document["paths"].as_object().expect("an object") {
        for (method, operation) in item.as_object().expect("an object") {
            let responses = operation["responses"].as_object().expect("responses");
            for (status, response) in responses {
                assert!(
                    response["description"].as_str().is_some_and(|words| !words.is_empty()),
                    "{response}"
                );
                let status: u16 = status.parse().expect("a status, and no range");
                let is_problem = response["content"].get("application/problem+json").is_some();
                assert_eq!(is_problem, status >= 400, "{method} {path} {status}");
            }
            let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
            lines.push(format!("{} {path} {}", method.to_uppercase(), statuses.join(" ")));
        }
    }
    insta::assert_snapshot!("statuses", lines.join("\n"));
}

#[tokio::test]
async fn the_page_shows_every_call_and_runs_nothing() {
    let hitwire = Hitwire::start().await;
    let answer = hitwire.nobody().get("/docs").await;
    assert_eq!(answer.status, 200);
    let policy = answer.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = std::str::from_utf8(&answer.body).expect("text");
    let document = hitwire.nobody().get("/openapi.json").await.expect(200);
    for path in document["paths"].as_object().expect("an object").keys() {
        assert!(page.contains(&format!("<code>{path}</code>")), "{path} is not on the page");
    }
    for schema in document["components"]["schemas"].as_object().expect("an object").keys() {
        assert!(page.contains(&format!("id=\"schema-{schema}\"")), "{schema} is not on the page");
    }
    assert!(!page.contains("<script") && !page.contains("src="), "{page}");
}
