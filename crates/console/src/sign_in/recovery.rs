//! Recovery codes: for somebody whose authenticator app is lost. Each is good once; only their hashes are kept.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// Codes of a set.
pub(crate) const CODES: usize = 10;

/// Characters of a code. 80 bits: a plain hash of one is as good as one that takes long.
const CHARS: usize = 16;

/// No letter looks like a digit or another letter (Crockford's base 32), so that a printed code can be typed.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// New codes as they are shown, in groups of four.
pub(crate) fn new_codes() -> Result<Vec<String>, getrandom::Error> {
    (0..CODES).map(|_| new_code()).collect()
}

fn new_code() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; CHARS];
    getrandom::fill(&mut random)?;
    let mut code = String::new();
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok(code)
}

/// Whether what was typed can only be meant as a recovery code, not as one of an app.
pub(crate) fn looks_like_one(typed: &str) -> bool {
    plain(typed).is_some()
}

/// What is kept of a code; none if it is none.
pub(crate) fn hash(typed: &str) -> Option<[u8; 32]> {
    plain(typed).map(|plain| Sha256::digest(plain).into())
}

/// Takes the typed code out of those that are left; false if it is not among them.
pub(crate) fn use_up(left: &mut Vec<[u8; 32]>, typed: &str) -> bool {
    let Some(hash) = hash(typed) else { return false };
    let (mut found, mut place) = (Choice::from(0), 0_u64);
    // All are looked at, so that the time tells nothing.
    for (at, other) in left.iter().enumerate() {
        let same = other.as_slice().ct_eq(&hash);
        place.conditional_assign(&(at as u64), same);
        found |= same;
    }
    let found = bool::from(found);
    if found {
        left.remove(place as usize);
    }
    found
}

/// The code without its dashes and blanks, with the letters that were meant.
fn plain(typed: &str) -> Option<String> {
    // Longer than a code with a blank after each character: not worth a look.
    if typed.len() > 4 * CHARS {
        return None;
    }
    let meant = |c: char| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    };
    let plain: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(meant).collect();
    (plain.len() == CHARS && plain.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_however_it_is_typed() {
        let codes = new_codes().unwrap();
        let mut left: Vec<_> = codes.iter().map(|code| hash(code).unwrap()).collect();
        assert_eq!(left.len(), CODES);
        assert!(!use_up(&mut left, &new_code().unwrap()));
        let typed = codes[3].to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l");
        assert!(use_up(&mut left, &typed));
        assert!(!use_up(&mut left, &codes[3]));
        assert_eq!(left.len(), CODES - 1);
        assert!(use_up(&mut left, &codes[9]) && use_up(&mut left, &codes[0]));
        assert_eq!(left.len(), CODES - 3);
    }

    #[test]
    fn codes_are_shown_in_groups_and_differ() {
        let mut codes = new_codes().unwrap();
        for code in &codes {
            assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4; 4], "{code}");
        }
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), CODES);
    }

    #[test]
    fn what_is_no_code_is_not_taken_for_one() {
        for typed in ["", "123456", "abcd-efgh-jkmn-pqr", "abcd-efgh-jkmn-pqru", "äbcd-efgh-jkmn-pqrs"] {
            assert!(!looks_like_one(typed), "{typed}");
            assert!(!use_up(&mut vec![[0; 32]], typed));
        }
        assert!(!looks_like_one(&"-".repeat(1_000_000)));
        assert!(looks_like_one("abcd-efgh-jkmn-pqrs"));
    }
}
