//! The description as a page: no script, one style sheet inside.

use serde_json::Value;
use std::fmt::Write as _;

/// Nothing of the page runs, loads or goes anywhere. The style sheet is inside; what stands in the page is hitwire's own.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("page.css");

/// The page of a document.
pub(super) fn of(document: &Value) -> String {
    let mut page = String::new();
    let html = &mut page;
    push(html, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    push(html, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    push(html, "<title>hitwire API</title><style>");
    push(html, STYLE);
    push(html, "</style></head><body>");
    let tags = items(&document["tags"]);
    push(html, "<nav aria-label=\"Parts\"><a class=\"name\" href=\"#top\">hitwire API</a>");
    for tag in tags {
        let name = text(&tag["name"]);
        let _ = write!(html, "<a href=\"#{name}\">{name}</a>");
    }
    push(html, "<a href=\"openapi.json\">openapi.json</a></nav><main id=\"top\">");
    let _ = write!(html, "<h1>hitwire API</h1>{}", paragraph(&document["info"]["description"]));
    for tag in tags {
        let name = text(&tag["name"]);
        let _ = write!(html, "<h2 id=\"{name}\">{name}</h2>{}", paragraph(&tag["description"]));
        for (path, item) in members(&document["paths"]) {
            for (method, operation) in members(item) {
                if items(&operation["tags"]).iter().any(|tagged| *tagged == tag["name"]) {
                    operation_of(html, document, path, method, operation);
                }
            }
        }
    }
    push(html, "<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let _ = write!(html, "<section class=\"schema\" id=\"schema-{0}\"><h3>{0}</h3>", escaped(name));
        schema_of(html, schema);
        push(html, "</section>");
    }
    push(html, "</main></body></html>");
    page
}

fn operation_of(html: &mut String, document: &Value, path: &str, method: &str, operation: &Value) {
    let id = text(&operation["operationId"]);
    let _ = write!(
        html,
        "<details class=\"call\" id=\"{id}\"><summary><span class=\"method {method}\">{}</span> <code>{}</code> <span>{}</span></summary>",
        method.to_uppercase(),
        escaped(path),
        text(&operation["summary"]),
    );
    html.push_str(&paragraph(&operation["description"]));
    let parameters = items(&operation["parameters"]);
    if !parameters.is_empty() {
        push(
            html,
            "<h4>Parameters</h4><table><tr><th>name</th><th>in</th><th>type</th><th>meaning</th></tr>",
        );
        for parameter in parameters {
            let _ = write!(
                html,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                type_of(&parameter["schema"]),
                words(&parameter["description"]),
            );
        }
        push(html, "</table>");
    }
    for (media_type, content) in members(&operation["requestBody"]["content"]) {
        let _ = write!(html, "<h4>Body <code>{}</code></h4>", escaped(media_type));
        let _ = write!(html, "<p>{}</p>", type_of(&content["schema"]));
    }
    push(html, "<h4>Answers</h4><table><tr><th>status</th><th>body</th><th>meaning</th></tr>");
    for (status, response) in members(&operation["responses"]) {
        let bodies: Vec<String> =
            members(&response["content"]).map(|(_, content)| type_of(&content["schema"])).collect();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(status),
            bodies.join(", "),
            words(&response["description"]),
        );
    }
    push(html, "</table>");
    if items(&operation["security"]).iter().any(|scheme| members(scheme).next().is_none())
        || (operation.get("security").is_none() && document.get("security").is_none())
    {
        push(html, "<p>Needs no token.</p>");
    }
    push(html, "</details>");
}

fn schema_of(html: &mut String, schema: &Value) {
    html.push_str(&paragraph(&schema["description"]));
    let required = items(&schema["required"]);
    let properties: Vec<_> = properties(schema);
    if properties.is_empty() {
        let _ = write!(html, "<p>{}</p>", type_of(schema));
        return;
    }
    push(html, "<table><tr><th>field</th><th>type</th><th>meaning</th></tr>");
    for (name, property) in properties {
        let needed = if required.iter().any(|required| required == name) { " <b>needed</b>" } else { "" };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{needed}</td><td>{}</td><td>{}</td></tr>",
            escaped(name),
            type_of(property),
            words(&property["description"]),
        );
    }
    push(html, "</table>");
}

/// The properties of an object, those of its parts included.
fn properties(schema: &Value) -> Vec<(&str, &Value)> {
    let own = members(&schema["properties"]);
    let of_parts = items(&schema["allOf"]).iter().flat_map(properties);
    own.chain(of_parts).collect()
}

/// A type in few words, with links to schemas.
fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escaped(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for choice in ["oneOf", "anyOf"] {
        let parts: Vec<_> = items(&schema[choice]).iter().map(type_of).collect();
        if !parts.is_empty() {
            return parts.join(" or ");
        }
    }
    let choices: Vec<_> =
        items(&schema["enum"]).iter().map(|value| format!("<code>{}</code>", text(value))).collect();
    if !choices.is_empty() {
        return choices.join(" ");
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let mut words = types.join(" or ");
    if let Some(items) = schema.get("items") {
        let _ = write!(words, " of {}", type_of(items));
    }
    if let (Some(least), Some(most)) = (schema.get("minimum"), schema.get("maximum")) {
        let _ = write!(words, ", {}-{}", text(least), text(most));
    }
    words
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value as text that means nothing to a browser.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    }
}

/// Words of a description: what stands between grave accents is code.
fn words(value: &Value) -> String {
    let text = text(value);
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| if place % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

fn paragraph(value: &Value) -> String {
    let words = words(value);
    if words.is_empty() { words } else { format!("<p>{words}</p>") }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn push(html: &mut String, text: &str) {
    html.push_str(text);
}
