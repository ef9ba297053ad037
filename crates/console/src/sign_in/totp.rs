//! The second factor: codes of six digits that change every 30 seconds (RFC 6238), as authenticator apps show them.

use data_encoding::BASE32_NOPAD;
use hitwire_store::Secret;
use hmac::{Hmac, Mac as _};
use qrcode::{Color, EcLevel, QrCode};
use sha1::Sha1;
use std::fmt::Write as _;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// How long a code is shown, in seconds.
const STEP_S: u64 = 30;

/// Codes of this many steps before and after now are good too: clocks differ, and typing takes time.
const STEPS_AROUND: u64 = 1;

/// The codes that there are: six digits.
const CODES: u32 = 1_000_000;

/// Bytes of a secret: those of the hash function (RFC 4226 section 4 recommends 160 bits).
const SECRET_BYTES: usize = 20;

/// Light modules around a QR code, so that cameras find its edge (ISO/IEC 18004 asks for four).
const QUIET_MODULES: usize = 4;

/// A new secret, in base32 as apps take it when it is typed.
pub(crate) fn new_secret() -> Result<Secret, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    getrandom::fill(bytes.as_mut())?;
    Ok(Secret::new(BASE32_NOPAD.encode(bytes.as_ref())))
}

/// The step whose code was typed, if it is good at this moment (Unix seconds): near enough to now, and after `last`, the step
/// whose code was accepted before. Who saw a code being typed can do nothing with it.
pub(crate) fn accepted(secret: &Secret, typed: &str, now_s: u64, last: u64) -> Option<u64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    if typed.len() != 6 || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let key = Zeroizing::new(BASE32_NOPAD.decode(secret.expose().as_bytes()).ok()?);
    let now = now_s / STEP_S;
    let mut accepted = None;
    // All are looked at, so that the time tells nothing.
    for step in now.saturating_sub(STEPS_AROUND)..=now + STEPS_AROUND {
        let good = bool::from(code(&key, step).as_bytes().ct_eq(typed.as_bytes()));
        if good && step > last {
            accepted = accepted.or(Some(step));
        }
    }
    accepted
}

/// The code of a step (RFC 4226 section 5.3).
fn code(key: &[u8], step: u64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
    format!("{:06}", (number & 0x7fff_ffff) % CODES)
}

/// What an app reads from the QR code. `installation`: how the app calls it, `hitwire` or with a host's name.
pub(crate) fn uri(installation: &str, email: &str, secret: &Secret) -> String {
    let (installation, email) = (encoded(installation), encoded(email));
    format!(
        "otpauth://totp/{installation}:{email}?secret={}&issuer={installation}&algorithm=SHA1&digits=6&period={STEP_S}",
        secret.expose()
    )
}

/// Everything but unreserved characters (RFC 3986) percent-encoded; apps do not all take `+` for a blank.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The secret in groups of four, as it is typed.
pub(crate) fn in_groups(secret: &Secret) -> String {
    let groups: Vec<&str> =
        secret.expose().as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(" ")
}

/// A QR code as an SVG draws it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Width and height in modules, with the light edge.
    pub(crate) modules: usize,
    /// The `d` of the one path that is dark: digits and letters only.
    pub(crate) path: String,
}

/// The QR code of a text; none if it is too long for one.
pub(crate) fn picture(text: &str) -> Option<Picture> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let colors = code.into_colors();
    let mut path = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run[0] == Color::Dark {
                let (left, top, length) = (x + QUIET_MODULES, y + QUIET_MODULES, run.len());
                let _ = write!(path, "M{left} {top}h{length}v1h-{length}z");
            }
            x += run.len();
        }
    }
    Some(Picture { modules: width + 2 * QUIET_MODULES, path })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The code that an app would show.
    pub(crate) fn shown(secret: &Secret, at_s: u64) -> String {
        code(&BASE32_NOPAD.decode(secret.expose().as_bytes()).unwrap(), at_s / STEP_S)
    }

    /// The key of the test vectors of RFC 6238, appendix B.
    fn rfc() -> Secret {
        Secret::new(BASE32_NOPAD.encode(b"12345678901234567890"))
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (at_s, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(shown(&rfc(), at_s), code, "{at_s}");
        }
    }

    #[test]
    fn a_code_is_good_for_a_step_around_its_own_and_no_further() {
        let secret = new_secret().unwrap();
        let at = 1_700_000_010;
        let code = shown(&secret, at);
        let step = at / STEP_S;
        assert_eq!(accepted(&secret, &code, at, 0), Some(step));
        assert_eq!(accepted(&secret, &code, at + STEP_S, 0), Some(step));
        assert_eq!(accepted(&secret, &code, at - STEP_S, 0), Some(step));
        assert_eq!(accepted(&secret, &code, at + 2 * STEP_S, 0), None);
        assert_eq!(accepted(&secret, &code, at - 2 * STEP_S, 0), None);
        assert_eq!(accepted(&secret, &format!(" {} {}", &code[..3], &code[3..]), at, 0), Some(step));
    }

    #[test]
    fn a_code_is_good_once() {
        let secret = new_secret().unwrap();
        let at = 1_700_000_010;
        let code = shown(&secret, at);
        let step = accepted(&secret, &code, at, 0).unwrap();
        assert_eq!(accepted(&secret, &code, at, step), None);
        assert_eq!(accepted(&secret, &shown(&secret, at - STEP_S), at, step), None, "nor an older one");
        assert_eq!(accepted(&secret, &shown(&secret, at + STEP_S), at, step), Some(step + 1));
    }

    #[test]
    fn what_is_no_code_is_not_accepted() {
        let secret = rfc();
        for typed in ["", "28708", "2870822", "28708a", "２８７０８２", "-28708", "287082\0"] {
            assert_eq!(accepted(&secret, typed, 59, 0), None, "{typed:?}");
        }
        assert_eq!(accepted(&Secret::new("not base32!"), "287082", 59, 0), None);
    }

    #[test]
    fn an_app_reads_who_and_where_from_the_address() {
        assert_eq!(
            uri("hitwire (eu)", "ada+x@example.com", &Secret::new("ABCD")),
            "otpauth://totp/hitwire%20%28eu%29:ada%2Bx%40example.com?secret=ABCD&issuer=hitwire%20%28eu%29\
             &algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(in_groups(&Secret::new("ABCDEFGHIJ")), "ABCD EFGH IJ");
    }

    #[test]
    fn the_picture_is_drawn_with_its_light_edge() {
        let picture = picture(&uri("hitwire", "ada@example.com", &new_secret().unwrap())).unwrap();
        assert!(picture.modules > 2 * QUIET_MODULES + 20);
        // The finder pattern in the upper left corner: seven dark modules in a row.
        assert!(picture.path.starts_with("M4 4h7v1h-7z"), "{}", &picture.path[..40]);
        assert!(picture.path.bytes().all(|byte| b"Mhvz -0123456789".contains(&byte)));
        assert_eq!(super::picture(&"x".repeat(5_000)), None);
    }
}
