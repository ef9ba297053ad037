//! The description is as strict as the server: of each bound of each body in `/openapi.json` what is just inside is taken by the
//! real server, and what is just outside is refused. A bound of one that the other does not have fails here.

use crate::support::{Hitwire, Receiver};
use regex_lite::Regex;
use serde_json::{Map, Value, json};

/// A call, and a body that it takes.
struct Call {
    method: &'static str,
    described: &'static str,
    path: String,
    body: Value,
}

/// A value in its place in a body, and whether it must be taken.
#[derive(Debug)]
struct Probe {
    at: Vec<String>,
    value: Option<Value>,
    taken: bool,
}

/// What cannot be said in a schema, since it depends on what there is: the place, whether the server says it.
fn depends_on_what_there_is(described: &str, at: &[String], value: Option<&Value>) -> bool {
    let at = at.join("/");
    match (described, &*at) {
        // It is the one that the path names, or a user of the client.
        (_, "id") => {
            described.contains("{id}") || described.ends_with("/render") || described.ends_with("/test")
        }
        ("/v1/tokens", "user") => true,
        // Which there are, the system's time zone database says.
        ("/v1/user", "time_zone") => value.is_some_and(Value::is_string),
        // It is the one that the integration has.
        ("/v2/integration/{id}", "signing_secret") => value != Some(&Value::Null),
        // It is needed unless there is an id.
        ("/v2/integration/render" | "/v2/integration/test", "target") => value == Some(&Value::Null),
        // Exactly one says which part of the log: the body names one already.
        ("/v2/integration/{id}/replays", at) => {
            let part = at.split('/').next().unwrap_or_default();
            ["from", "until", "first", "last", "attempt", "event", "seq", "lost"].contains(&part)
        }
        // The schema does not know what time it is.
        ("/v1/tokens", "expires_at") => value == Some(&json!(0)),
        _ => false,
    }
}

/// Texts that a pattern and lengths are about: those to be taken, and those to be refused. By the field's name.
fn texts(name: &str, pem: &Pem) -> Option<(Vec<String>, Vec<String>)> {
    let x = |length: usize| "x".repeat(length);
    let padded = |text: &str, length: usize| text.to_owned() + &"\n".repeat(length - text.len());
    let (inside, outside): (Vec<String>, Vec<String>) = match name {
        "name" => {
            (vec![x(1), x(200), "ü".repeat(200)], vec![x(0), x(201), " ".to_owned(), "a\u{7}b".to_owned()])
        }
        "applications" => (vec![x(1), x(200)], vec![x(0), x(201), "  ".to_owned()]),
        "attack_types" => (vec![x(1), x(200)], vec![x(0), x(201), "a b".to_owned()]),
        "domains" => (
            vec!["a".to_owned(), "*.a.example".to_owned(), x(200)],
            vec![
                x(0),
                x(201),
                "*.".to_owned(),
                "a b".to_owned(),
                "a*b".to_owned(),
                ".a".to_owned(),
                "a:80".to_owned(),
            ],
        ),
        "in" | "not_in" => (
            ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"].map(str::to_owned).into(),
            ["", "10", "a.example", "10.0.0.0/", "10.0.0.0/333", "db8/32"].map(str::to_owned).into(),
        ),
        "allow_targets" => (
            ["10.0.0.0/8", "2001:db8::/32"].map(str::to_owned).into(),
            ["", "10.0.0.0", "a.example", "10.0.0.0/333", "db8/32"].map(str::to_owned).into(),
        ),
        "email" => (
            vec!["a@b".to_owned(), format!("{}@b.example", x(254 - 10))],
            ["", "a", "a@", "@b", "a b@c", "a@b,c@d"]
                .map(str::to_owned)
                .into_iter()
                .chain([format!("{}@b.example", x(255 - 10))])
                .collect(),
        ),
        "url" => (
            vec![
                "https://a.example".to_owned(),
                "HTTPS://a.example:8443/x?y=\\@".to_owned(),
                "https://[2606:4700::1111]/".to_owned(),
                format!("https://a.example/{}", x(8_192 - 18)),
            ],
            [
                "",
                "a.example",
                "https://",
                "https:a.example",
                "https:///a.example",
                "https:\\\\a.example",
                "https://u@a.example",
                "https://a.example/#x",
                "https://a%65.example",
                "https://a b",
                "https://a.example/b\\c",
                "ftp://a.example",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("https://a.example/{}", x(8_193 - 18))])
            .collect(),
        ),
        "pin_sha256" => (
            vec![
                "ab".repeat(32),
                vec!["AB"; 32].join(":"),
                format!("sha256 Fingerprint={}", vec!["AB"; 32].join(":")),
            ],
            vec![x(0), "ab".repeat(31), "ab".repeat(33), "zz".repeat(32)],
        ),
        // The value of a header whose name has one byte.
        "A" => (
            vec![x(0), x(8_191), "a\tb".to_owned()],
            vec![x(8_192), "a\nb".to_owned(), "a\u{7f}".to_owned(), "a\0".to_owned()],
        ),
        // Counters have ids of their own.
        "id" => (vec![x(1), x(128)], vec![x(0), x(129)]),
        "ca_file" => (vec![String::new(), padded(&pem.certificate, 524_288)], vec![x(524_289)]),
        "client_cert" => {
            (vec![padded(&format!("{}{}", pem.certificate, pem.key), 524_288)], vec![x(524_289)])
        }
        "client_key" => (vec![padded(&pem.key, 524_288)], vec![x(524_289)]),
        "time_zone" => (vec![x(64)], vec![x(65)]),
        "token" | "api" => (vec![String::new()], vec![x(1)]),
        // The longest with credentials, and last: the next proxy would need them again.
        "proxy" => (
            vec![
                String::new(),
                "socks5://127.0.0.1:1".to_owned(),
                "HTTPS://127.0.0.1:1/".to_owned(),
                format!("http://{}:{}@127.0.0.1:65535", "%61".repeat(255), x(235)),
            ],
            vec![
                format!("http://{}:{}@127.0.0.1:65535", "%61".repeat(255), x(236)),
                "ftp://127.0.0.1:1".to_owned(),
                "127.0.0.1:1".to_owned(),
                "http://127.0.0.1:1/x".to_owned(),
            ],
        ),
        "proxy_credentials" => {
            (vec![String::new(), format!("{}:{}", x(255), x(255))], vec![format!("{}:{}", x(255), x(256))])
        }
        "headers" => (vec![x(0), x(65_536)], vec![x(65_537)]),
        "client_key_password" => (vec![x(1_024)], vec![x(1_025)]),
        _ => return None,
    };
    Some((inside, outside))
}

struct Pem {
    certificate: String,
    key: String,
}

/// Follows a reference.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("a schema"),
        None => schema,
    }
}

struct Walk<'d> {
    document: &'d Value,
    pem: &'d Pem,
    probes: Vec<Probe>,
}

impl Walk<'_> {
    fn probe(&mut self, at: &[String], value: impl Into<Option<Value>>, taken: bool) {
        self.probes.push(Probe { at: at.to_vec(), value: value.into(), taken });
    }

    fn schema(&mut self, schema: &Value, at: &[String]) {
        let schema = resolved(self.document, schema);
        if let Some(choices) = schema["oneOf"].as_array() {
            let of_type = |choice: &Value, name: &str| resolved(self.document, choice)["type"] == name;
            let is_null = |choice: &&Value| of_type(choice, "null");
            self.probe(at, Value::Null, choices.iter().any(|choice| is_null(&choice)));
            // Of one or several the one is walked through.
            for choice in choices.iter().filter(|choice| !is_null(choice) && !of_type(choice, "array")) {
                self.one(resolved(self.document, choice), at);
            }
            return;
        }
        self.one(schema, at);
    }

    /// A schema without choices.
    fn one(&mut self, schema: &Value, at: &[String]) {
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for name in &types {
            match *name {
                "integer" | "number" => self.number(schema, at, *name == "integer"),
                "boolean" => {
                    self.probe(at, json!(true), true);
                    self.probe(at, json!("true"), false);
                }
                "string" => self.text(schema, at),
                "array" => self.array(schema, at),
                "object" => self.object(schema, at),
                "null" => self.probe(at, Value::Null, true),
                other => panic!("{other} at {at:?}"),
            }
        }
    }

    fn number(&mut self, schema: &Value, at: &[String], is_whole: bool) {
        for (bound, outwards) in [("minimum", -1), ("maximum", 1)] {
            if let Some(edge) = schema[bound].as_i64() {
                self.probe(at, json!(edge), true);
                self.probe(at, json!(edge + outwards), false);
            }
        }
        if schema.get("maximum").is_none() {
            self.probe(at, json!(i64::MAX), true);
        }
        self.probe(at, json!("5"), false);
        if is_whole {
            self.probe(at, json!(1.5), false);
        }
    }

    fn text(&mut self, schema: &Value, at: &[String]) {
        self.probe(at, json!(7), false);
        if let Some(choices) = schema["enum"].as_array() {
            for choice in choices {
                self.probe(at, choice.clone(), true);
            }
            self.probe(at, json!("nonsense"), false);
            return;
        }
        let is_bounded =
            ["minLength", "maxLength", "pattern"].iter().any(|bound| schema.get(*bound).is_some());
        if !is_bounded {
            // Then the server must not have a bound either.
            self.probe(at, json!("x".repeat(300_000)), true);
            return;
        }
        let name = at.iter().rev().find(|step| step.parse::<usize>().is_err()).expect("a name");
        let (inside, outside) =
            texts(name, self.pem).unwrap_or_else(|| panic!("say texts for {at:?}: {schema}"));
        let fits = |text: &str| {
            let length = text.chars().count() as u64;
            let pattern = schema["pattern"].as_str().map(|pattern| Regex::new(pattern).expect("a pattern"));
            schema["minLength"].as_u64().is_none_or(|least| length >= least)
                && schema["maxLength"].as_u64().is_none_or(|most| length <= most)
                && pattern.is_none_or(|pattern| pattern.is_match(text))
        };
        if let Some(most) = schema["maxLength"].as_u64() {
            let lengths =
                |texts: &[String]| texts.iter().map(|text| text.chars().count() as u64).collect::<Vec<_>>();
            assert!(
                lengths(&inside).contains(&most) && lengths(&outside).contains(&(most + 1)),
                "{at:?}: {most}"
            );
        }
        for (texts, taken) in [(inside, true), (outside, false)] {
            for text in texts {
                assert_eq!(fits(&text), taken, "the description of {at:?} and {text:.80?}: {schema}");
                self.probe(at, json!(text), taken);
            }
        }
    }

    fn array(&mut self, schema: &Value, at: &[String]) {
        self.probe(at, json!("x"), false);
        let inner = [at, &["0".to_owned()]].concat();
        let before = self.probes.len();
        self.schema(&schema["items"], &inner);
        let Some(most) = schema["maxItems"].as_u64() else { return };
        // Something that is taken, as often as may be.
        let one = self.probes[before..].iter().find(|probe| probe.taken && probe.at.len() == inner.len());
        let one = one.and_then(|probe| probe.value.clone()).unwrap_or(json!({"event": "siem"}));
        let several = |count: u64| Value::from(vec![one.clone(); count as usize]);
        self.probe(at, several(most), true);
        self.probe(at, several(most + 1), false);
    }

    fn object(&mut self, schema: &Value, at: &[String]) {
        self.probe(at, json!("x"), false);
        self.probe(at, json!([]), false);
        let of = |name: &str| [at, &[name.to_owned()]].concat();
        match &schema["additionalProperties"] {
            Value::Bool(false) => self.probe(&of("of_a_later_time"), json!(1), false),
            Value::Null => self.probe(&of("of_a_later_time"), json!(1), true),
            of_values => {
                self.schema(of_values, &of("A"));
                let names = resolved(self.document, &schema["propertyNames"]);
                let names = Regex::new(names["pattern"].as_str().expect("a pattern")).expect("a pattern");
                for (name, taken) in
                    [("X-1_a!", true), ("", false), ("a b", false), ("a:", false), ("é", false)]
                {
                    assert_eq!(names.is_match(name), taken, "{name}");
                    self.probe(&of(name), json!("x"), taken);
                }
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.probe(&of(name), None, false);
            self.probe(&of(name), Value::Null, false);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.schema(property, &of(name));
        }
    }
}

/// Puts a value into its place, or takes away what is there.
fn put(body: &mut Value, at: &[String], value: Option<Value>) {
    let Some((first, rest)) = at.split_first() else {
        *body = value.unwrap_or_default();
        return;
    };
    if let Ok(index) = first.parse::<usize>() {
        if !body.is_array() {
            *body = json!([]);
        }
        let elements = body.as_array_mut().expect("an array");
        if elements.len() <= index {
            elements.push(if rest.is_empty() { Value::Null } else { json!({"event": "siem"}) });
        }
        return put(&mut elements[index], rest, value);
    }
    if !body.is_object() {
        *body = json!({});
    }
    let members: &mut Map<String, Value> = body.as_object_mut().expect("an object");
    if rest.is_empty() {
        match value {
            Some(value) => drop(members.insert(first.clone(), value)),
            None => drop(members.remove(first)),
        }
    } else {
        put(members.entry(first.clone()).or_insert(Value::Null), rest, value);
    }
}

async fn calls(hitwire: &Hitwire, receiver: &Receiver) -> Vec<Call> {
    // Nothing of a change before is kept that the next one would have to send again.
    let target =
        json!({"url": receiver.url(), "client_cert": "", "client_key": "", "pin_sha256": [], "proxy": null});
    let settings = json!({"target": target, "events": [{"event": "siem"}], "active": false});
    let integration = hitwire.create(&settings).await["id"].clone();
    hitwire.send(&crate::support::hits(0..1)).await.expect(202);
    let replays = format!("/v2/integration/{integration}/replays");
    hitwire.admin().send("POST", &replays, &json!({"first": 1, "paused": true})).await.expect(200);
    let client = hitwire.new_client("other").await;
    let user =
        hitwire.make("users", &json!({"email": "u@example.com", "role": "analyst"})).await["id"].clone();
    let application = hitwire.make("applications", &json!({"name": "shop"})).await["id"].clone();
    let of = |path: &str, id: &Value| path.replace("{id}", &id.to_string()).replace("{n}", "1");
    let call =
        |method, described, id: &Value, body| Call { method, described, path: of(described, id), body };
    let none = Value::Null;
    vec![
        call("POST", "/v2/integration", &none, settings.clone()),
        call("PUT", "/v2/integration/{id}", &integration, settings.clone()),
        call("POST", "/v2/integration/render", &none, settings.clone()),
        call("POST", "/v2/integration/test", &none, settings.clone()),
        call("POST", "/v2/integration/preview", &none, json!({"events": []})),
        call("POST", "/v2/integration/{id}/test", &integration, json!({})),
        call("POST", "/v2/integration/{id}/rotate-secret", &integration, json!({})),
        call("POST", "/v2/integration/{id}/replays", &integration, json!({"first": 1, "preview": true})),
        call("PUT", "/v2/integration/{id}/replays/{n}", &integration, json!({"paused": true})),
        call("POST", "/v2/integration/{id}/check-signature", &integration, json!({})),
        call("POST", "/v1/objects/client", &none, json!({})),
        call("POST", "/v1/clients", &none, json!({"name": "new"})),
        call("PUT", "/v1/clients/{id}", &json!(client), json!({})),
        call("POST", "/v1/users", &none, json!({"email": "n@example.com", "role": "analyst"})),
        call("PUT", "/v1/users/{id}", &user, json!({})),
        call("PUT", "/v1/user", &none, json!({"name": "x"})),
        call("POST", "/v1/tokens", &none, json!({"name": "new", "role": "read_only"})),
        call("POST", "/v1/applications", &none, json!({"name": "new"})),
        call("PUT", "/v1/applications/{id}", &application, json!({"name": "new"})),
        call("POST", "/v1/counters", &none, json!({"requests": 1})),
    ]
}

#[tokio::test]
async fn what_the_description_allows_is_taken_and_what_it_forbids_is_refused() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let document = hitwire.nobody().get("/openapi.json").await.expect(200);
    let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).expect("a certificate");
    let pem = Pem { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() };
    let calls = calls(&hitwire, &receiver).await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let walked =
                calls.iter().any(|call| (call.described, &*call.method.to_lowercase()) == (path, method));
            // Events are read by the event crate, whose tests have their bounds.
            let has_body = operation.get("requestBody").is_some() && path != "/v1/events";
            assert_eq!(walked, has_body, "{method} {path}: say a body that it takes");
        }
    }
    let mut wrong = Vec::new();
    let mut probed = 0;
    for Call { method, described, path, body } in &calls {
        let operation = &document["paths"][described][method.to_lowercase()];
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let mut walk = Walk { document: &document, pem: &pem, probes: Vec::new() };
        walk.schema(schema, &[]);
        for Probe { at, value, taken } in walk.probes {
            if at.is_empty() || depends_on_what_there_is(described, &at, value.as_ref()) {
                continue;
            }
            let mut sent = body.clone();
            // A key goes with a certificate, and a certificate here brings its own.
            let beside = match at.last().map(String::as_str) {
                Some("client_key") if value.as_ref().is_some_and(Value::is_string) => {
                    Some(("client_cert", Some(json!(pem.certificate))))
                }
                Some("client_cert") => Some(("client_key", None)),
                // Credentials go with a proxy.
                Some("proxy_credentials") if value.as_ref().is_some_and(Value::is_string) => {
                    Some(("proxy", Some(json!("http://127.0.0.1:1"))))
                }
                _ => None,
            };
            if let Some((name, value)) = beside {
                put(&mut sent, &["target".to_owned(), name.to_owned()], value);
            }
            put(&mut sent, &at, value.clone());
            let answer = hitwire.admin().send(method, path, &sent).await;
            // Not valid, or valid and refused for something else: there is no such client, it is there already, it comes too
            // often.
            let status = answer.status.as_u16();
            assert!(status < 500, "{method} {path} {at:?}: {status}");
            let is_refused = matches!(status, 400 | 422);
            if is_refused == taken {
                let words = if is_refused { answer.json()["errors"].to_string() } else { String::new() };
                let value = value.map_or("nothing".to_owned(), |value| value.to_string());
                wrong.push(format!("{method} {described} /{} = {value:.80}: {status} {words}", at.join("/")));
            }
            probed += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {probed}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(probed > 500, "{probed}");
}
