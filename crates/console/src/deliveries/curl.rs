//! A request as a command for a shell, with placeholders where secrets stood.

/// A header as the API shows it: a secret is masked.
pub(super) struct Header<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// The command. `url` is masked after its host; the body is read from `file`.
pub(super) fn command<'a>(
    method: &str,
    url: &str,
    headers: impl Iterator<Item = Header<'a>>,
    file: &str,
) -> String {
    let target = match url.strip_suffix(hitwire_store::MASK) {
        Some(open) => format!("{}\"$PATH_AND_QUERY\"", quoted(open)),
        None => quoted(url),
    };
    let mut lines = vec![format!("curl -sS -i -X {} {target}", quoted(method))];
    for Header { name, value } in headers {
        lines.push(if value == hitwire_store::MASK {
            format!("-H {}\"${}\"", quoted(&format!("{name}: ")), placeholder(name))
        } else {
            format!("-H {}", quoted(&format!("{name}: {value}")))
        });
    }
    lines.push(format!("--data-binary @{}", quoted(file)));
    lines.join(" \\\n  ")
}

/// `SECRET_X_TOKEN`: what the user sets before.
fn placeholder(name: &str) -> String {
    let letters = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' });
    format!("SECRET_{}", letters.collect::<String>())
}

/// One word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_placeholders_and_what_others_chose_is_one_word() {
        let headers =
            [("x-token", "********"), ("content-type", "application/json"), ("x-name", "it's $(id)")];
        let headers = headers.iter().map(|(name, value)| Header { name, value });
        let command = command("POST", "https://siem.example.com/********", headers, "attempt-7.json");
        let expected = r#"curl -sS -i -X 'POST' 'https://siem.example.com/'"$PATH_AND_QUERY" \
  -H 'x-token: '"$SECRET_X_TOKEN" \
  -H 'content-type: application/json' \
  -H 'x-name: it'\''s $(id)' \
  --data-binary @'attempt-7.json'"#;
        assert_eq!(command, expected);
    }
}
