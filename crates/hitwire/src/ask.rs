//! Questions before what cannot be undone.

use crate::failure::Failure;
use crate::terminal;
use std::io::{self, IsTerminal, Write};

/// Asks for a word to be typed, and goes on only if it was; `yes` answers in advance.
///
/// # Errors
///
/// When the word was not typed, or nobody can be asked.
pub(crate) fn to_type(word: &str, question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(format!(
            "{} This asks first, and there is no terminal to ask on: say --yes",
            terminal::safe(question)
        )));
    }
    let question = format!("{} Type {} to go on: ", terminal::safe(question), terminal::safe(word));
    let asked = io::stderr().write_all(question.as_bytes()).and_then(|()| io::stderr().flush());
    let mut typed = String::new();
    let read = asked.and_then(|()| io::stdin().read_line(&mut typed));
    read.map_err(|error| Failure::Runtime(format!("cannot read the answer: {error}")))?;
    if typed.trim() == word {
        return Ok(());
    }
    Err(Failure::Runtime("not confirmed; nothing was changed".to_owned()))
}
