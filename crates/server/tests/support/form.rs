//! A form as it stands on a page: what a browser without scripts would send of it.

use std::collections::BTreeMap;

/// The fields of a form, in the order of the page, and where it posts to.
#[derive(Clone, Debug)]
pub(crate) struct PageForm {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl PageForm {
    /// The form of a page that posts to this place.
    #[track_caller]
    pub(crate) fn on(page: &str, action: &str) -> PageForm {
        let begin = page.find(&format!("method=\"post\" action=\"{action}\"")).unwrap_or_else(|| {
            panic!("no form that posts to {action} on {page}");
        });
        let form = &page[begin..begin + page[begin..].find("</form>").expect("an end")];
        PageForm { action: action.to_owned(), fields: fields(form) }
    }

    /// The same with another value in a field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> PageForm {
        match self.fields.iter_mut().find(|(other, _)| other == name) {
            Some(field) => value.clone_into(&mut field.1),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// The same with one more value of a name: a box that is ticked.
    pub(crate) fn and(mut self, name: &str, value: &str) -> PageForm {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The first value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// All values of a field.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| &**value).collect()
    }

    /// As pairs.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value)).collect()
    }
}

/// A list: its name, whether several can be chosen, each value and whether it is.
type Select = (String, bool, Vec<(String, bool)>);

/// What the controls of a form would send. Buttons send only when they are pressed, and files are left out.
fn fields(form: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut select: Option<Select> = None;
    let mut rest = form;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (name, attributes) = tag(&rest[..end]);
        rest = &rest[end + 1..];
        let attribute = |name: &str| attributes.get(name).cloned();
        match name {
            "input" => {
                let kind = attribute("type").unwrap_or_default();
                let Some(name) = attribute("name") else { continue };
                let is_box = kind == "checkbox" || kind == "radio";
                if kind == "file" || (is_box && attribute("checked").is_none()) {
                    continue;
                }
                let none = if is_box { "on" } else { "" };
                fields.push((name, attribute("value").unwrap_or_else(|| none.to_owned())));
            }
            "textarea" => {
                let text = &rest[..rest.find("</textarea>").expect("an end")];
                // The first line break belongs to the tag.
                let text = plain(text.strip_prefix('\n').unwrap_or(text)).replace('\n', "\r\n");
                fields.push((attribute("name").expect("a name"), text));
            }
            "select" => {
                let several = attribute("multiple").is_some();
                select = attribute("name").map(|name| (name, several, Vec::new()));
            }
            "option" => {
                if let Some((_, _, options)) = &mut select {
                    options.push((attribute("value").expect("a value"), attribute("selected").is_some()));
                }
            }
            "/select" => {
                if let Some((name, several, options)) = select.take() {
                    let mut chosen: Vec<_> = options.iter().filter(|(_, selected)| *selected).collect();
                    if !several {
                        chosen = vec![*chosen.first().unwrap_or(&options.first().expect("an option"))];
                    }
                    fields.extend(chosen.into_iter().map(|(value, _)| (name.clone(), value.clone())));
                }
            }
            _ => {}
        }
    }
    fields
}

/// A tag's name and attributes. Values stand in double quotes or single ones.
fn tag(text: &str) -> (&str, BTreeMap<String, String>) {
    let (name, mut rest) = text.split_once([' ', '\n']).unwrap_or((text, ""));
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return (name, attributes);
        }
        let end = rest.find(['=', ' ', '\n']).unwrap_or(rest.len());
        let key = rest[..end].to_owned();
        rest = &rest[end..];
        let Some(value) = rest.strip_prefix('=') else {
            attributes.insert(key, String::new());
            continue;
        };
        let quote = value.chars().next().expect("a quote");
        let (value, after) = value[1..].split_once(quote).expect("a closing quote");
        attributes.insert(key, plain(value));
        rest = after;
    }
}

/// A text without references to characters.
fn plain(text: &str) -> String {
    let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    named.iter().fold(text.to_owned(), |text, (reference, character)| text.replace(reference, character))
}
