//! Certificates as people have them, in files of all sorts, into texts that the API takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of a line of PEM.
const LINE_CHARS: usize = 64;

/// A file of certificates as text: PEM as it is; a certificate in DER as PEM; a PKCS#12 file in base64. Anything else in
/// base64 too: the API says what is wrong with it.
pub(super) fn text_of(file: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(file) {
        return lines(text);
    }
    let base64 = STANDARD.encode(file);
    if !is_certificate(file) {
        return base64;
    }
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in base64.as_bytes().chunks(LINE_CHARS) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// A text with the line ends of Unix, without blanks around it: browsers send others.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// Whether DER holds a certificate: a sequence that begins with a sequence. A PKCS#12 file is one that begins with its version.
fn is_certificate(der: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    let Some((&SEQUENCE, rest)) = der.split_first() else { return false };
    let inside = match rest.first() {
        // So many bytes that hold the length follow.
        Some(length @ 0x81..=0x84) => 1 + usize::from(length - 0x80),
        _ => 1,
    };
    rest.get(inside) == Some(&SEQUENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_a_text_that_the_api_takes() {
        assert_eq!(
            text_of(b"-----BEGIN X-----\r\nabc\r\n-----END X-----\r\n"),
            "-----BEGIN X-----\nabc\n-----END X-----"
        );
        let certificate = [&[0x30, 0x82, 0x01, 0x00, 0x30, 0x81][..], &[0xff; 60]].concat();
        let pem = text_of(&certificate);
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\nMIIBADCB"), "{pem}");
        assert!(pem.lines().all(|line| line.len() <= LINE_CHARS), "{pem}");
        let pkcs12 = [&[0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x03][..], &[0xff; 9]].concat();
        assert_eq!(text_of(&pkcs12), STANDARD.encode(&pkcs12));
        assert_eq!(text_of(&[0xff]), "/w==");
    }
}
