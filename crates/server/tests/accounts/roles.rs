//! The role table, cell by cell: what docs/api.md says is what holds.

use crate::support::{ADMIN, Caller, Hitwire};
use serde_json::{Value, json};

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const ROLES: [&str; 5] = ["operator", "administrator", "analyst", "read only", "ingest"];

/// A line of the documentation's table of calls: methods, paths, and the roles that may.
struct Row {
    methods: Vec<String>,
    paths: Vec<String>,
    may: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let table = include_str!("../../../../docs/api.md").lines().filter(|line| line.starts_with("| "));
    table.filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [call, _, roles] = cells[..] else { return None };
    let words: Vec<&str> =
        call.split(['`', '[', ']', ',', ' ', '(']).filter(|word| !word.is_empty()).collect();
    let methods: Vec<_> =
        words.iter().filter(|word| METHODS.contains(word)).map(|word| (*word).to_owned()).collect();
    let mut paths: Vec<_> =
        words.iter().filter(|word| word.starts_with('/')).map(|word| (*word).to_owned()).collect();
    paths.dedup();
    let may = match roles {
        "none" => return None,
        "any but ingest" => ROLES[..4].to_vec(),
        named => ROLES
            .into_iter()
            .filter(|role| *role == "operator" || named.split(", ").any(|name| name == *role))
            .collect(),
    };
    (!methods.is_empty() && !paths.is_empty()).then_some(Row { methods, paths, may })
}

/// Makes a call that changes nothing: of what is not there, or with a body that is not valid.
async fn may(caller: &Caller, method: &str, path: &str, query: &str) -> bool {
    let path = format!("{}{query}", path.replace("{id}", "424242").replace("{n}", "424242"));
    let body = if method == "GET" { Value::Null } else { json!({"nonsense": true}) };
    let answer = match method {
        "GET" => caller.get(&path).await,
        _ => caller.send(method, &path, &body).await,
    };
    assert!(
        answer.status.as_u16() < 500 && answer.status != 401 && answer.status != 405,
        "{method} {path}: {}",
        answer.status
    );
    answer.status != 403
}

#[tokio::test]
async fn each_call_is_for_the_roles_that_the_documentation_names() {
    let hitwire = Hitwire::start().await;
    let other = hitwire.new_client("Other").await;
    let mut callers = Vec::new();
    for (role, name) in ROLES.into_iter().zip(["operator", "admin", "analyst", "read_only", "ingest"]) {
        let token = hitwire.new_token(&json!({"name": role, "role": name})).await;
        callers.push((role, hitwire.caller(&token)));
    }
    let rows = rows();
    assert!(rows.len() > 25, "the table is read: {}", rows.len());
    let foreign = format!("?clientid={other}");
    let mut cells = 0;
    for Row { methods, paths, may: named } in &rows {
        for (method, path) in methods.iter().flat_map(|method| paths.iter().map(move |path| (method, path))) {
            for (role, caller) in &callers {
                let expected = named.contains(role);
                assert_eq!(may(caller, method, path, "").await, expected, "{method} {path} as {role}");
                let expected = *role == "operator";
                let got = may(caller, method, path, &foreign).await;
                assert_eq!(got, expected, "{method} {path} as {role} for another client");
                cells += 2;
            }
            let nobody = hitwire.nobody().send(method, &path.replace("{id}", "424242"), &json!({})).await;
            assert_eq!(nobody.status, 401, "{method} {path} without a token");
        }
    }
    assert!(cells > 300, "{cells}");
}

#[tokio::test]
async fn an_operator_works_for_the_client_that_it_names() {
    let hitwire = Hitwire::start().await;
    let other = hitwire.new_client("Other").await;
    let body = json!({"clientid": other, "name": "theirs", "target": {"url": "https://example.com/"}});
    let made = hitwire.create(&body).await;
    assert_eq!(made["clientid"], other);
    let operator = hitwire.caller(ADMIN);
    let names = async |query: &str| {
        let list = operator.get(&format!("/v2/integration{query}")).await.expect(200);
        list["body"]["object"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, [json!(null); 0], "its own client has none");
    assert_eq!(names(&format!("?clientid={other}")).await, ["theirs"]);
    let path = format!("/v2/integration/{}", made["id"]);
    operator.send("PUT", &path, &json!({"name": "renamed"})).await.expect(200);
    operator.send("PUT", &path, &json!({"name": "again", "clientid": other})).await.expect(200);
    operator.send("PUT", &path, &json!({"name": "mine", "clientid": 1})).await.expect(404);
    operator.get(&format!("{path}?clientid=1")).await.expect(404);
    operator.get("/v2/integration?clientid=99").await.expect(404);
    let both = json!({"clientid": 1, "target": {"url": "https://example.com/"}});
    operator.send("POST", &format!("/v2/integration?clientid={other}"), &both).await.expect(400);
}

#[tokio::test]
async fn an_analyst_sees_what_became_of_events_and_not_what_a_receiver_said() {
    use crate::support::{Receiver, hit, until};
    let hitwire = Hitwire::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(500);
    let id = hitwire.subscribe(&receiver.url()).await;
    let token = hitwire.new_token(&json!({"name": "analyst", "role": "analyst"})).await;
    hitwire.send(&hit(1)).await.expect(202);
    let path = format!("/v2/integration/{id}/attempts");
    let newest = async |caller: &Caller| caller.get(&path).await.expect(200)["attempts"][0]["error"].clone();
    until(async || newest(&hitwire.admin()).await.is_string()).await;
    let words = newest(&hitwire.caller(&token)).await;
    assert_eq!(words, "the endpoint returned 500");
}
