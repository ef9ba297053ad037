//! The board, the alert rules and the examples in `deploy/`: they can be read, and name only what there is.

use super::told::everything;
use hitwire_server::Config;
use serde_json::Value;
use std::collections::BTreeSet;

const BOARD: &str = include_str!("../../../../deploy/grafana/hitwire.json");
const ALERTS: &str = include_str!("../../../../deploy/prometheus/hitwire-alerts.yml");
const EXAMPLE: &str = include_str!("../../../../deploy/hitwire.toml");

/// The names of our series in a query.
fn named(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("hitwire_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// Every text below a key, at any depth.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    _ => texts(value, key, found),
                }
            }
        }
        Value::Array(array) => array.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn board_and_alerts_name_only_series_that_there_are() {
    let board: Value = serde_json::from_str(BOARD).expect("the board is JSON");
    let alerts: Value = serde_saphyr::from_str(ALERTS).expect("the rules are YAML");
    let mut queries = Vec::new();
    texts(&board, "expr", &mut queries);
    texts(&board, "definition", &mut queries);
    let of_board = queries.len();
    texts(&alerts, "expr", &mut queries);
    assert!(of_board > 30 && queries.len() > of_board + 10, "{} queries", queries.len());
    let (_hitwire, told) = everything().await;
    let mut there: BTreeSet<String> = told.names().into_iter().map(str::to_owned).collect();
    there.insert("hitwire_api_certificate_expiry_timestamp_seconds".to_owned());
    for query in queries {
        let unknown: Vec<_> = named(query).into_iter().filter(|name| !there.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {query}");
    }
}

#[test]
fn every_alert_says_what_it_is_about_and_how_grave_it_is() {
    let alerts: Value = serde_saphyr::from_str(ALERTS).expect("the rules are YAML");
    let rules = alerts["groups"][0]["rules"].as_array().expect("rules");
    let mut names = BTreeSet::new();
    for rule in rules {
        assert!(names.insert(rule["alert"].as_str().expect("a name")), "{rule}");
        assert!(
            ["critical", "warning"].contains(&rule["labels"]["severity"].as_str().expect("text")),
            "{rule}"
        );
        assert!(rule["annotations"]["summary"].is_string(), "{rule}");
        assert!(rule["expr"].is_string(), "{rule}");
    }
}

#[test]
fn every_panel_of_the_board_has_a_place_of_its_own() {
    let board: Value = serde_json::from_str(BOARD).expect("the board is JSON");
    let panels = board["panels"].as_array().expect("panels");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let of = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        for x in of("x")..of("x") + of("w") {
            for y in of("y")..of("y") + of("h") {
                assert!(x < 24 && taken.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}

#[test]
fn the_example_of_a_configuration_is_sound() {
    let config = Config::from_toml(EXAMPLE).expect("read");
    assert_eq!(config.check(), Ok(()));
    assert!(config.metrics_listen.is_some());
}
