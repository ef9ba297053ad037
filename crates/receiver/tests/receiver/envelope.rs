//! The envelope rendering against the public examples, byte by byte. Their origin is told in `tests/payloads/README.md`.

use crate::golden::{object_of, on_the_wire};
use crate::{event, record};
use hitwire_event::system::{System, User};
use hitwire_event::{Actor, ClientId, Event, EventId, Kind, Record};
use hitwire_receiver::{Format, Labels, Rendered as _, Rendering, Style, body};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

const HIT_2021: &str = include_str!("../payloads/current/hit-2021.json");
const HITS: &str = include_str!("../payloads/current/hits.json");
const HIT_LINES: &str = include_str!("../payloads/current/hits.jsonl");
const SECURITY_ISSUE: &str = include_str!("../payloads/current/security-issue.json");
const SECURITY_ISSUE_LINES: &str = include_str!("../payloads/current/security-issue.jsonl");
const SCOPE_IPS: &str = include_str!("../payloads/current/scope-ips-test.json");
const MESSAGES: &str = include_str!("../payloads/other/messages-current.json");

/// What an example holds of the event itself, as it is written there.
#[derive(Deserialize)]
struct Example<'a> {
    #[serde(borrow)]
    details: Details<'a>,
}

#[derive(Deserialize)]
struct Details<'a> {
    client_name: String,
    cloud: String,
    #[serde(borrow)]
    hit: Option<&'a RawValue>,
    #[serde(borrow)]
    security_issue: Option<&'a RawValue>,
    security_issue_link: Option<String>,
}

fn examples(json: &str) -> Vec<Example<'_>> {
    serde_json::from_str(json).expect("an example")
}

fn labels(product: &str, details: &Details<'_>) -> Labels {
    Labels {
        product: product.to_owned(),
        cloud: details.cloud.clone(),
        client_name: details.client_name.clone(),
        link_base: None,
    }
}

const ENVELOPE: Rendering = Rendering { style: Style::Envelope, with_headers: false };

fn sent(records: &[Arc<Record>], labels: &Labels, format: Format) -> String {
    String::from_utf8(body(records, ENVELOPE, labels, format)).expect("a body is UTF-8")
}

/// The hits of an example, sent again.
fn hits_sent(example: &str, format: Format) -> String {
    let examples = examples(example);
    let labels = labels("Wallarm", &examples[0].details);
    let hit = |example: &Example<'_>| record(event(example.details.hit.expect("a hit").get()));
    let records: Vec<_> = examples.iter().map(hit).collect();
    sent(&records, &labels, format)
}

#[test]
fn todays_hits_come_out_as_they_went_in() {
    assert_eq!(hits_sent(HITS, Format::Json), on_the_wire(HITS));
    assert_eq!(hits_sent(HITS, Format::Jsonl), HIT_LINES);
}

#[test]
fn a_hit_of_2021_comes_out_as_todays() {
    let expected = on_the_wire(HIT_2021)
        // Renamed since,
        .replace(r#""domain":"#, r#""host":"#)
        // moved,
        .replace(r#""parameter":"SOME_value","#, "")
        .replace(r#""anomaly":0"#, r#""anomaly":0,"parameter":"SOME_value""#)
        // added,
        .replace(r#""tor":"#, r#""datacenter":"unknown","tor":"#)
        // and an empty string is no address.
        .replace(r#""remote_addr6":"""#, r#""remote_addr6":null"#);
    assert_eq!(hits_sent(HIT_2021, Format::Json), expected);
}

/// The example's issue, sent again.
fn issue_sent(format: Format) -> (String, EventId) {
    let examples = examples(SECURITY_ISSUE);
    let details = &examples[0].details;
    let issue = details.security_issue.expect("an issue").get().strip_prefix('{').expect("an object");
    let link = details.security_issue_link.as_deref().expect("a link");
    let event = event(&format!(r#"{{"object_type":"vuln","link":"{link}",{issue}"#));
    let id = event.id.clone();
    (sent(&[record(event)], &labels("Wallarm", details), format), id)
}

/// In the example the issue has no id. Every object that hitwire sends has one.
fn with_id(example: &str, id: &EventId) -> String {
    example
        .replace(r#""id":null"#, &format!(r#""id":"{id}""#))
        .replace(r"\nID: \n", &format!(r"\nID: {id}\n"))
}

#[test]
fn a_security_issue_comes_out_as_it_went_in() {
    let (sent, id) = issue_sent(Format::Json);
    assert_eq!(sent, with_id(&on_the_wire(SECURITY_ISSUE), &id));
}

#[test]
fn a_line_holds_the_same_envelope_as_an_array() {
    let (array, id) = issue_sent(Format::Json);
    let (line, _) = issue_sent(Format::Jsonl);
    assert_eq!(line, format!("{}\n", object_of(&array)));
    // The document shortened its description by the blank lines and the line feed at the end.
    let shortened =
        line.replace(r"\n\n\n", r"\n").replace(r"\n\n", r"\n").replace(r#"Cloud: US\n""#, r#"Cloud: US""#);
    assert_eq!(shortened, with_id(SECURITY_ISSUE_LINES, &id));
}

#[test]
fn a_change_of_scope_comes_out_as_in_the_example_and_has_its_id() {
    let event = event(
        r#"{"object_type":"scope","action":"create","ips":[{"id":2,"ip":"8.8.8.8"}],"object_userid":777}"#,
    );
    let expected =
        on_the_wire(SCOPE_IPS).replace("]}}]", &format!(r#"],"scope":{{"id":"{}"}}}}}}]"#, event.id));
    let labels = labels("Test partner(US)", &examples(SCOPE_IPS)[0].details);
    assert_eq!(sent(&[Arc::new(Record::test(event))], &labels, Format::Json), expected);
}

#[derive(Deserialize)]
struct Message {
    notification_type: String,
    summary: String,
    text: String,
}

/// What messengers show is the description without its first line. Triggers, which hitwire has no notifications of, add a line.
fn message(notification_type: &str) -> Message {
    let messages: Vec<Message> = serde_json::from_str(MESSAGES).expect("messages");
    let mut message = messages
        .into_iter()
        .find(|message| message.notification_type == notification_type)
        .expect("a message");
    message.summary = message.summary.replace("[Wallarm] Trigger: ", "[Wallarm] ");
    message.text =
        message.text.replace("\nThis notification was triggered by the \"Added user\" trigger.", "");
    message
}

#[derive(Deserialize)]
struct Envelope {
    summary: String,
    description: String,
}

fn envelope(record: &Record, labels: &Labels) -> Envelope {
    serde_json::from_str(record.rendered(ENVELOPE, labels)).expect("an envelope with a description")
}

#[test]
fn a_new_user_is_told_in_the_words_of_the_example() {
    let user = User {
        name: "John Smith".to_owned(),
        email: "johnsmith@example.com".to_owned(),
        role: "Analyst".to_owned(),
    };
    let by = Actor { name: "John Doe".to_owned(), email: Some("johndoe@example.com".to_owned()) };
    let event = System::UserCreated { user, by }.to_event(ClientId(1), 1_623_281_235, &[b"7"]);
    let labels = Labels {
        product: "Wallarm".to_owned(),
        cloud: "EU".to_owned(),
        client_name: "TestCompany".to_owned(),
        link_base: None,
    };
    let envelope = envelope(&record(event), &labels);
    let message = message("create_user");
    assert_eq!(envelope.summary, message.summary);
    assert_eq!(envelope.description, format!("Notification type: create_user\n\n{}", message.text));
}

#[test]
fn new_addresses_are_told_in_the_words_of_the_example() {
    let event = event(r#"{"object_type":"scope","action":"create","ips":["8.8.8.8"]}"#);
    let labels = Labels {
        product: "Test partner".to_owned(),
        cloud: "EU".to_owned(),
        client_name: "TestCompany".to_owned(),
        link_base: None,
    };
    let envelope = envelope(&Record::test(event), &labels);
    let message = message("new_scope_object_ips");
    assert_eq!(envelope.summary, message.summary);
    assert_eq!(envelope.description, format!("Notification type: new_scope_object_ips\n\n{}", message.text));
}

#[test]
fn an_issue_without_a_link_is_linked_to_the_console() {
    let record = || record(event(r#"{"object_type":"vuln","title":"t","threat":"Low","id":"CVE-1/2"}"#));
    let nowhere = record().rendered(ENVELOPE, &Labels::default()).to_owned();
    assert!(
        nowhere.contains(r#""security_issue_link":null"#) && nowhere.contains(r"More details: \n"),
        "{nowhere}"
    );
    let labels = Labels { link_base: Some("https://console.example".to_owned()), ..Labels::default() };
    let record = record();
    let linked = record.rendered(ENVELOPE, &labels);
    assert!(
        linked.contains(r#""security_issue_link":"https://console.example/object/CVE-1%2F2""#),
        "{linked}"
    );
    assert!(linked.contains(r"More details: https://console.example/object/CVE-1%2F2\n"), "{linked}");
}

#[test]
fn nothing_that_a_source_told_is_lost() {
    let issue = record(event(
        r#"{"object_type":"vuln","title":"t","threat":"Low","source":"a:1","summary":"s","description":"d","id":"i","cvss":9.80}"#,
    ));
    let envelope = issue.rendered(ENVELOPE, &Labels::default());
    assert!(
        envelope.ends_with(r#""type":null,"source":"a:1","summary":"s","description":"d","cvss":9.80}}}"#),
        "{envelope}"
    );
    let hit = record(event(
        r#"{"object_type":"hit","type":"xss","x":1,"applications":["a"],"headers":{"A":"b"},"lom_id":932,"id":["i","d"]}"#,
    ));
    let bare = hit.rendered(ENVELOPE, &Labels::default());
    assert!(bare.contains(r#""block_status":"monitored","lom_id":932,"id":["i","d"]"#), "{bare}");
    assert!(bare.ends_with(r#""parameter":null,"applications":["a"],"x":1}}}"#), "{bare}");
    let with_headers = hit.rendered(Rendering { with_headers: true, ..ENVELOPE }, &Labels::default());
    assert!(with_headers.ends_with(r#""applications":["a"],"headers":{"A":"b"},"x":1}}}"#), "{with_headers}");
}

#[test]
fn what_a_sender_added_does_not_pass_for_a_label() {
    let scope = record(event(
        r#"{"object_type":"scope","action":"delete","domains":["a.example"],"cloud":"forged","time":5,"id":"i","data":[]}"#,
    ));
    let envelope = scope.rendered(ENVELOPE, &Labels::default());
    assert!(
        envelope
            .contains(r#""cloud":"local","notification_type":"scope_object","data":[{"action":"delete","#),
        "{envelope}"
    );
    assert!(envelope.ends_with(r#""scope":{"time":5,"id":"i","cloud":"forged","data":[]}}}"#), "{envelope}");
}

#[test]
fn a_title_cannot_forge_a_line_of_a_description() {
    let issue = record(event(r#"{"object_type":"vuln","title":"t\nRisk: Info\u202e","threat":"Critical"}"#));
    let description = envelope(&issue, &Labels::default()).description;
    assert!(description.contains("Title: t\\nRisk: Info\\u{202e}\n"), "{description}");
    assert_eq!(description.matches("\nRisk:").count(), 1);
}

#[test]
fn labels_are_text_and_not_json() {
    let labels = Labels {
        product: "A \"B\"".to_owned(),
        cloud: "c\\".to_owned(),
        client_name: "d\ne".to_owned(),
        link_base: None,
    };
    for kind in Kind::ALL {
        let record = hitwire_event::test_message(kind, ClientId(1), 1_700_000_000);
        let envelope: serde_json::Value =
            serde_json::from_str(record.rendered(ENVELOPE, &labels)).expect("JSON");
        let summary = envelope["summary"].as_str().expect("a summary");
        assert!(summary.starts_with("[Test message] [A \"B\"] "), "{summary}");
        assert_eq!(envelope["details"]["client_name"], "d\ne");
        assert_eq!(envelope["details"]["cloud"], "c\\");
    }
}

#[test]
fn an_event_that_says_little_is_told_all_the_same() {
    let event = Event {
        client: ClientId(1),
        kind: Kind::System,
        id: EventId::from("7"),
        body: r#"{"summary":"Something"}"#.into(),
    };
    assert_eq!(
        record(event).rendered(ENVELOPE, &Labels::default()),
        r#"{"summary":"[Hitwire] Something","details":{"client_name":"default","cloud":"local","notification_type":"system","id":"7"}}"#
    );
}
