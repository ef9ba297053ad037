//! What an installation calls itself in envelopes.

use std::fmt::Write as _;

/// The names that stand in envelopes: `[Hitwire] New hit detected`, `client_name`, `cloud`, links. The classic rendering has
/// links alone.
///
/// All but the client's name are the same for the whole installation. A record is rendered once, with the labels that it is
/// first rendered with; it belongs to one client, so these are always that client's. A client that is renamed has its new
/// name in what is rendered from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The product's name, in brackets before each summary.
    pub product: String,
    /// The installation's name: the original has `EU` and `US` here.
    pub cloud: String,
    /// The name of the client that the events belong to.
    pub client_name: String,
    /// Where the console is, without a slash at the end (`https://hitwire.example.com`): an issue that has no link of its own
    /// is linked to `<link_base>/object/<id>`. None: such an issue has no link.
    pub link_base: Option<String>,
}

/// The product's name unless another is set.
pub const PRODUCT: &str = "Hitwire";

/// The installation's name unless another is set.
pub const CLOUD: &str = "local";

impl Default for Labels {
    /// The names of an installation that nobody named.
    fn default() -> Self {
        Labels {
            product: PRODUCT.to_owned(),
            cloud: CLOUD.to_owned(),
            client_name: "default".to_owned(),
            link_base: None,
        }
    }
}

impl Labels {
    /// The page of an issue.
    pub(super) fn link(&self, id: &str) -> Option<String> {
        // Browsers take these steps, in any spelling, for "here" and "one up".
        if matches!(id, "." | "..") {
            return None;
        }
        let mut link = self.link_base.as_deref()?.trim_end_matches('/').to_owned();
        link.push_str("/object/");
        for byte in id.bytes() {
            match byte {
                // What RFC 3986 section 2.3 calls unreserved stands for itself in a path.
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    link.push(char::from(byte));
                }
                _ => {
                    // Writing to a String cannot fail.
                    let _ = write!(link, "%{byte:02X}");
                }
            }
        }
        Some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_any_id() {
        let labels = Labels { link_base: Some("https://a.example/".to_owned()), ..Labels::default() };
        assert_eq!(
            labels.link("CVE-2024/1 é").as_deref(),
            Some("https://a.example/object/CVE-2024%2F1%20%C3%A9")
        );
        assert_eq!((labels.link("."), labels.link("..")), (None, None));
        assert_eq!(Labels::default().link("1"), None);
    }
}
