//! Pins: certificates known by their fingerprint.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// The most pins of one identity: a receiver's certificate, the next one, and a few machines.
pub const PINS_MAX: usize = 16;

/// The SHA-256 of a certificate's DER. Displays, and parses, as common tools print it: `AB:CD:...`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Of a certificate.
    pub fn of(der: &[u8]) -> Pin {
        Pin(Sha256::digest(der).into())
    }

    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Pin {
    fn from(hash: [u8; 32]) -> Pin {
        Pin(hash)
    }
}

impl FromStr for Pin {
    type Err = PinError;

    /// 64 hexadecimal digits, in pairs that colons or blanks may separate; before them may stand what
    /// `openssl x509 -fingerprint -sha256` prints there (`sha256 Fingerprint=`).
    fn from_str(text: &str) -> Result<Pin, PinError> {
        let text = text.trim();
        if text.starts_with("sha256/") {
            return Err(PinError::PublicKey);
        }
        let digits = match text.split_once('=') {
            Some((before, after)) => {
                let before = before.to_ascii_lowercase();
                if !before.contains("fingerprint") {
                    return Err(PinError::Character);
                }
                if !before.contains("sha256") && !before.contains("sha-256") {
                    return Err(PinError::OtherHash);
                }
                after
            }
            None => text,
        };
        let mut hash = [0; 32];
        let mut count = 0;
        for digit in digits.chars().filter(|c| !matches!(c, ':' | ' ')) {
            let value = digit.to_digit(16).ok_or(PinError::Character)?;
            let byte = hash.get_mut(count / 2).ok_or(PinError::Length)?;
            *byte = *byte << 4 | value as u8;
            count += 1;
        }
        if count == 64 { Ok(Pin(hash)) } else { Err(PinError::Length) }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// Why a text is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Something else than hexadecimal digits.
    #[error(
        "a pin is the SHA-256 fingerprint of the receiver's certificate in hexadecimal digits, with or without colons, as openssl x509 -noout -fingerprint -sha256 prints it"
    )]
    Character,
    /// Too few or too many digits.
    #[error(
        "a pin has 64 hexadecimal digits (SHA-256); other lengths are of other hashes: openssl x509 -noout -fingerprint -sha256 prints the right one"
    )]
    Length,
    /// `sha1 Fingerprint=`
    #[error(
        "this is the fingerprint of another hash; openssl x509 -noout -fingerprint -sha256 prints the right one"
    )]
    OtherHash,
    /// `sha256//...`, as for curl.
    #[error(
        "this is a pin of a public key; hitwire takes that of the certificate: openssl x509 -noout -fingerprint -sha256 prints it"
    )]
    PublicKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_pin_is_read_in_each_form_that_tools_print() {
        let pin = Pin::of(b"");
        let colons = pin.to_string();
        assert!(colons.starts_with("E3:B0:C4:42:") && colons.ends_with(":55"), "{colons}");
        for text in [
            HEX.to_owned(),
            HEX.to_uppercase(),
            colons.to_lowercase(),
            format!("sha256 Fingerprint={colons}"),
            format!("SHA256 Fingerprint={colons}\n"),
            format!("  {colons}  "),
            colons.replace(':', " "),
            colons,
        ] {
            assert_eq!(text.parse(), Ok(pin), "{text}");
        }
    }

    #[test]
    fn what_is_no_pin_is_said_with_what_would_be_one() {
        for (text, expected) in [
            ("", PinError::Length),
            (&HEX[1..], PinError::Length),
            (&format!("{HEX}0"), PinError::Length),
            ("DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09", PinError::Length),
            ("SHA1 Fingerprint=DA:39:A3:EE", PinError::OtherHash),
            ("sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", PinError::PublicKey),
            ("pin=abcd", PinError::Character),
            (&HEX.replace('e', "g"), PinError::Character),
            (&HEX.replace('c', "é"), PinError::Character),
        ] {
            assert_eq!(text.parse::<Pin>(), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(der in proptest::collection::vec(any::<u8>(), 0..50)) {
            let pin = Pin::of(&der);
            prop_assert_eq!(pin.to_string().parse(), Ok(pin));
        }

        #[test]
        fn arbitrary_text_is_a_pin_or_refused(text in "[0-9a-fA-F: =]{0,100}|.{0,80}") {
            let _ = text.parse::<Pin>();
        }
    }
}
