//! What flags say, into bodies of the API.

use super::flags::{Settings, Unset};
use super::secret;
use crate::failure::Failure;
use hitwire_store::MASK;
use serde_json::{Map, Value, json};

impl Settings {
    /// The body that makes a new integration.
    pub(crate) fn creation(&self) -> Result<Value, Failure> {
        if self.url.is_none() {
            return Err(Failure::Usage("say where to send: --url https://siem.example.com/hits".to_owned()));
        }
        let mut body = Map::new();
        body.insert("type".to_owned(), json!("web_hooks"));
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), json!(name));
        }
        body.insert("events".to_owned(), self.ticks(&self.events, &[]));
        if let Some(filter) = secret::filter("--filter", self.filter.as_deref())? {
            body.insert("filter".to_owned(), filter);
        }
        let mut target = self.target()?;
        let headers: Map<String, Value> = self.headers()?.into_iter().collect();
        if !headers.is_empty() {
            target.insert("headers".to_owned(), headers.into());
        }
        body.insert("target".to_owned(), target.into());
        Ok(body.into())
    }

    /// The body that changes `current` (an answer of the API): only what flags name. A target is whole in the API, so what
    /// is not named is sent as it was answered; masked secrets then keep their values.
    pub(crate) fn change(
        &self,
        current: &Value,
        unset: &[Unset],
        without_headers: &[String],
    ) -> Result<Value, Failure> {
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), json!(name));
        }
        let ticked: Vec<_> = current["events"].as_array().cloned().unwrap_or_default();
        if !self.events.is_empty() {
            body.insert("events".to_owned(), self.ticks(&self.events, &ticked));
        } else if self.with_headers || self.without_headers {
            let mut ticked = ticked;
            let hits = ticked.iter_mut().find(|tick| tick["event"] == "siem").ok_or_else(|| {
                Failure::Usage(
                    "the integration is not subscribed to hits: say so too, with --event siem".to_owned(),
                )
            })?;
            hits["with_headers"] = json!(self.with_headers);
            body.insert("events".to_owned(), ticked.into());
        }
        if let Some(filter) = secret::filter("--filter", self.filter.as_deref())? {
            body.insert("filter".to_owned(), filter);
        } else if unset.contains(&Unset::Filter) {
            body.insert("filter".to_owned(), json!({}));
        }
        let before = current["target"].as_object().cloned().unwrap_or_default();
        let mut target = before.clone();
        self.set_headers(&mut target, unset, without_headers)?;
        for setting in unset {
            match setting {
                Unset::CaFile => drop(target.insert("ca_file".to_owned(), json!(""))),
                // Left out, a secret would keep its value.
                Unset::ClientCert => {
                    target.insert("client_cert".to_owned(), json!(""));
                    target.insert("client_key".to_owned(), json!(""));
                }
                // Left out, hitwire's own settings stay as they are too.
                Unset::PinSha256 => drop(target.insert("pin_sha256".to_owned(), json!([]))),
                Unset::Proxy => {
                    target.insert("proxy".to_owned(), Value::Null);
                    target.remove("proxy_credentials");
                }
                Unset::ProxyCredentials => drop(target.insert("proxy_credentials".to_owned(), json!(""))),
                Unset::Rate => drop(target.insert("rate".to_owned(), Value::Null)),
                Unset::MaxEvents => drop(target.insert("max_events".to_owned(), Value::Null)),
                Unset::MaxBytes => drop(target.insert("max_bytes".to_owned(), Value::Null)),
                Unset::Filter | Unset::Headers => {}
            }
        }
        target.extend(self.target()?);
        if target != before {
            body.insert("target".to_owned(), target.into());
        }
        Ok(body.into())
    }

    /// Headers are named in any letter case; one that is set again takes the place of the old one.
    fn set_headers(
        &self,
        target: &mut Map<String, Value>,
        unset: &[Unset],
        without: &[String],
    ) -> Result<(), Failure> {
        let given = self.headers()?;
        let mut headers = target.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        if unset.contains(&Unset::Headers) {
            headers.clear();
        }
        for name in without {
            if !headers.keys().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(Failure::Usage(format!("--remove-header {name}: it has no such header")));
            }
        }
        let goes = |name: &String| {
            let same = |other: &String| other.eq_ignore_ascii_case(name);
            without.iter().any(same) || given.iter().any(|(other, _)| same(other))
        };
        headers.retain(|name, _| !goes(name));
        headers.extend(given);
        target.insert("headers".to_owned(), headers.into());
        Ok(())
    }

    fn headers(&self) -> Result<Vec<(String, Value)>, Failure> {
        let mut headers = Vec::new();
        for (name, text) in &self.request.headers {
            let value = secret::value_or_file(text)?;
            if value == MASK {
                return Err(Failure::Usage(format!(
                    "--header {name}: {MASK} is what hitwire shows in place of a value, and no value"
                )));
            }
            headers.push((name.clone(), json!(value)));
        }
        for (name, variable) in &self.request.header_from_env {
            headers.push((name.clone(), json!(secret::variable(variable)?)));
        }
        Ok(headers)
    }

    /// `events` of the API. `with_headers` of a kind that was ticked before stays, unless a flag decides.
    fn ticks(&self, names: &[String], before: &[Value]) -> Value {
        let tick = |name: &String| {
            let mut tick = json!({"event": name, "active": true});
            if matches!(name.as_str(), "siem" | "hit") {
                let was = before
                    .iter()
                    .find(|tick| tick["event"] == "siem")
                    .map(|tick| tick["with_headers"] == true);
                let decided = self.with_headers || (was.unwrap_or(false) && !self.without_headers);
                tick["with_headers"] = json!(decided);
            }
            tick
        };
        names.iter().map(tick).collect()
    }

    /// The fields of the target that flags name, but for headers.
    fn target(&self) -> Result<Map<String, Value>, Failure> {
        let Settings { url, request, receiver, proxy, sending, .. } = self;
        let verify = (receiver.verify || receiver.no_verify).then_some(receiver.verify);
        let pins = (!receiver.pin_sha256.is_empty()).then_some(&receiver.pin_sha256);
        let ca_file = receiver.ca_file.as_deref().map(secret::file).transpose()?;
        let client_cert = receiver.client_cert.as_deref().map(secret::certificate).transpose()?;
        let client_key = receiver.client_key.as_deref().map(secret::file).transpose()?;
        let password = receiver.key_password_from_env.as_deref().map(secret::variable).transpose()?;
        let proxy_credentials = match (&proxy.credentials, &proxy.credentials_from_env) {
            (Some(text), _) => Some(secret::value_or_file(text)?),
            (None, Some(variable)) => Some(secret::variable(variable)?),
            (None, None) => None,
        };
        let fields = [
            ("url", url.as_ref().map(|text| json!(text))),
            ("http_method", request.method.as_ref().map(|text| json!(text.to_ascii_uppercase()))),
            ("http_version", request.http_version.as_ref().map(|text| json!(text))),
            ("format", request.format.as_ref().map(|text| json!(text))),
            ("rendering", request.rendering.as_ref().map(|text| json!(text))),
            ("signing", request.signing.as_ref().map(|text| json!(text))),
            ("ca_file", ca_file.map(Value::from)),
            ("ca_verify", verify.map(Value::from)),
            ("pin_sha256", pins.map(|pins| json!(pins))),
            ("client_cert", client_cert.map(Value::from)),
            ("client_key", client_key.map(Value::from)),
            ("client_key_password", password.map(Value::from)),
            ("proxy", proxy.url.as_ref().map(|text| json!(text))),
            ("proxy_credentials", proxy_credentials.map(Value::from)),
            ("timeout", sending.timeout.map(Value::from)),
            ("open_timeout", sending.open_timeout.map(Value::from)),
            ("retry", sending.retry.as_ref().map(|text| json!(text))),
            ("max_events", sending.max_events.map(Value::from)),
            ("max_bytes", sending.max_bytes.map(Value::from)),
            ("rate", sending.rate.map(Value::from)),
            ("in_flight", sending.in_flight.map(Value::from)),
        ];
        let named = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(named.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(flags: &[&str]) -> Settings {
        Line::try_parse_from([&["test"], flags].concat()).unwrap_or_else(|error| panic!("{error}")).settings
    }

    fn current() -> Value {
        json!({
            "name": "SIEM",
            "events": [{"event": "siem", "active": true, "with_headers": true}],
            "target": {"url": "https://a/", "headers": {"X-Api-Key": MASK, "X-Other": MASK}, "ca_file": "", "timeout": 15},
        })
    }

    #[test]
    fn a_creation_holds_what_flags_say_and_nothing_else() {
        let flags = [
            "--url",
            "https://a/",
            "--event",
            "siem,scope",
            "--with-headers",
            "--header",
            "X-Api-Key: k",
            "--no-verify",
        ];
        assert_eq!(
            settings(&flags).creation().unwrap(),
            json!({
                "type": "web_hooks",
                "events": [{"event": "siem", "active": true, "with_headers": true}, {"event": "scope", "active": true}],
                "target": {"url": "https://a/", "headers": {"X-Api-Key": "k"}, "ca_verify": false},
            })
        );
        assert!(settings(&["--event", "siem"]).creation().is_err(), "it does not say where to send");
    }

    #[test]
    fn a_change_names_only_what_changes_and_keeps_masked_headers() {
        let change = |flags: &[&str]| settings(flags).change(&current(), &[], &[]).unwrap();
        assert_eq!(change(&["--name", "New"]), json!({"name": "New"}));
        assert_eq!(change(&["--timeout", "15"]), json!({}), "it is 15 already");
        let target = &change(&["--timeout", "30"])["target"];
        assert_eq!(
            *target,
            json!({"url": "https://a/", "headers": {"X-Api-Key": MASK, "X-Other": MASK}, "ca_file": "", "timeout": 30})
        );
        assert_eq!(
            change(&["--event", "siem,system"])["events"][0]["with_headers"],
            json!(true),
            "as it was"
        );
        assert_eq!(change(&["--without-headers"])["events"][0]["with_headers"], json!(false));
    }

    #[test]
    fn a_header_is_set_and_removed_in_any_letter_case() {
        let set = settings(&["--header", "x-api-key: new"]);
        let target = &set.change(&current(), &[], &["x-other".to_owned()]).unwrap()["target"];
        assert_eq!(target["headers"], json!({"x-api-key": "new"}));
        assert!(settings(&[]).change(&current(), &[], &["X-No".to_owned()]).is_err());
    }

    #[test]
    fn the_mask_is_no_value() {
        let Err(Failure::Usage(words)) =
            settings(&["--url", "https://a/", "--header", "X: ********"]).creation()
        else {
            panic!("the mask was taken");
        };
        assert!(words.starts_with("--header X"), "{words}");
    }
}
