//! What may be a name: of an integration, a user, a client, a token, an application.

/// The longest name of anything, in characters.
pub(super) const NAME_CHARS_MAX: usize = 200;

/// What is wrong with a name, which has no blanks around it.
pub(super) fn problems(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.is_empty() {
        problems.push("is empty".to_owned());
    }
    if name.chars().count() > NAME_CHARS_MAX {
        problems.push(format!("has more than {NAME_CHARS_MAX} characters"));
    }
    if name.chars().any(char::is_control) {
        problems.push("has control characters".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_line_of_some_characters() {
        assert!(problems(&"ü".repeat(NAME_CHARS_MAX)).is_empty());
        for name in ["", "a\nb", "a\u{1b}[2Jb", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert_eq!(problems(name).len(), 1, "{name:?}");
        }
    }
}
