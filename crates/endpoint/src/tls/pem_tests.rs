use super::*;
use proptest::prelude::*;

/// A file that `tests/certificates/make` made.
macro_rules! made {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/", $name))
    };
}

const ONE: &str = made!("plain-ca.pem");
const TWO: &str = made!("p521-ca.pem");

fn read(text: &str) -> Vec<CertificateDer<'static>> {
    certificates(text, Field::Ca).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refused(text: &str) -> String {
    certificates(text, Field::Ca).unwrap_err().to_string()
}

#[test]
fn certificates_are_all_read_however_they_are_put_together() {
    let expected = [read(ONE), read(TWO)].concat();
    assert_eq!(expected.len(), 2);
    let both = format!("{ONE}{TWO}");
    let spaced = |between: &str| both.replace('\n', between);
    for text in [
        format!("{}{}", ONE.trim(), TWO.trim()),
        format!("\u{feff}{ONE}\u{feff}{TWO}"),
        format!("subject=CN = plain CA\n{ONE}\n\n# and -- the other\n{TWO}bye"),
        spaced("\r\n"),
        spaced("\r"),
        spaced(" "),
        spaced("\\n"),
        spaced("\\r\\n"),
        spaced("\n    "),
        spaced("\u{a0}\n\t"),
        spaced("\n\n"),
        format!("'{}'", spaced("\\n")),
        both.replace("BEGIN CERT", "BEGIN X509 CERT").replace("END CERT", "END X509 CERT"),
        both.replace("-----BEGIN", "------BEGIN"),
        both.replace("=\n", "\n"),
    ] {
        assert_eq!(read(&text), expected, "{text}");
    }
}

#[test]
fn a_block_that_cannot_be_read_is_named_by_its_number_and_none_is_passed_over() {
    let half = &ONE[..ONE.len() / 2];
    for (second, words) in [
        (half.to_owned(), "block 2 of ca_file has no END line"),
        (format!("{half}\n{ONE}"), "block 2 of ca_file has no END line"),
        (ONE.replace("-----BEGIN CERTIFICATE-----", ""), "block 2 of ca_file has no BEGIN line"),
        (ONE.replace("-----BEGIN", "----BEGIN"), "block 2 of ca_file has a damaged BEGIN or END line"),
        (ONE.replace("-----END", "---END"), "block 2 of ca_file has a damaged BEGIN or END line"),
        (ONE.replace("-----BEGIN", "\u{2014}\u{2013}BEGIN"), "block 2 of ca_file has a damaged BEGIN"),
        (ONE.to_lowercase(), "block 2 of ca_file has a damaged BEGIN or END line"),
        (ONE.replacen("CERTIFICATE-----", "CERTIFICATE----", 1), "block 2 of ca_file has a damaged BEGIN"),
        (ONE.replace("END CERTIFICATE", "END X509 CERTIFICATE"), "block 2 of ca_file has no END line"),
        (ONE.replace("MII", "M*I"), "block 2 of ca_file is damaged: between"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned(),
            "block 2 of ca_file is damaged: it",
        ),
        (ONE.replace("CERTIFICATE", "PKCS7"), "block 2 of ca_file is PKCS#7; convert it"),
        (ONE.replace("CERTIFICATE", "CERTIFICATE REQUEST"), "block 2 of ca_file is a certificate request"),
        (ONE.replace("CERTIFICATE", "X509 CRL"), "block 2 of ca_file is a revocation list"),
        (ONE.replace("CERTIFICATE", "PUBLIC KEY"), "block 2 of ca_file is a public key"),
        (ONE.replace("CERTIFICATE", "SOMETHING"), "block 2 of ca_file is neither"),
        (made!("key.pem").to_owned(), "ca_file contains a private key"),
    ] {
        // Joined without a line end, where damage is missed most easily.
        let error = refused(&format!("{}{second}", TWO.trim()));
        assert!(error.starts_with(words), "{error}\nexpected: {words}");
        assert!(!error.contains("MII"), "{error}");
    }
    assert!(refused("BEGIN CERTIFICATE").starts_with("ca_file contains no certificate"));
}

#[test]
fn a_trusted_certificate_is_one_unless_it_is_not_trusted_for_servers() {
    assert_eq!(read(made!("trusted-for-servers.pem")), read(ONE));
    for excluded in [made!("trusted-for-mail.pem"), made!("rejected-for-servers.pem")] {
        let error = refused(&format!("{ONE}{excluded}"));
        assert!(
            error.starts_with("block 2 of ca_file is a TRUSTED CERTIFICATE that is not trusted"),
            "{error}"
        );
        assert_eq!(certificates(excluded, Field::ClientCertificate).unwrap(), read(ONE), "as a client's");
    }
}

#[test]
fn keys_are_read_in_every_encoding_and_by_what_they_are() {
    let kind = |text: &str| {
        let contents = contents(text, Field::ClientKey).unwrap_or_else(|error| panic!("{error}"));
        match contents.keys.as_slice() {
            [PrivateKeyDer::Pkcs8(_)] => "PKCS#8",
            [PrivateKeyDer::Pkcs1(_)] => "PKCS#1",
            [PrivateKeyDer::Sec1(_)] => "SEC1",
            keys => panic!("{}", keys.len()),
        }
    };
    for (text, expected) in [
        (made!("key.pem"), "PKCS#8"),
        (made!("sec1.pem"), "SEC1"),
        (made!("sec1-with-parameters.pem"), "SEC1"),
        (made!("rsa-pkcs1.pem"), "PKCS#1"),
        (made!("rsa-pkcs8.pem"), "PKCS#8"),
    ] {
        assert_eq!(kind(text), expected);
        assert_eq!(kind(&text.replace('\n', "\\n")), expected);
        assert_eq!(kind(&format!("\u{feff}  {}", text.replace('\n', "\r\n  "))), expected);
        assert_eq!(kind(&text.replace("RSA PRIVATE", "PRIVATE").replace("EC PRIVATE", "PRIVATE")), expected);
    }
    let refused = contents(&made!("key.pem").replace("PRIVATE", "OPENSSH PRIVATE"), Field::ClientKey);
    let words = refused.err().unwrap().to_string();
    assert!(
        words.starts_with("block 1 of client_key is an OpenSSH key; convert it with ssh-keygen"),
        "{words}"
    );
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_or_refused_but_never_breaks(
        text in "(-{0,6}|\u{2014}{1,2}|BEGIN |END |begin |CERTIFICATE|PRIVATE KEY|-----BEGIN CERTIFICATE-----|-----END CERTIFICATE-----|MIIB|[ -~\\n]|é){0,30}"
    ) {
        let _ = contents(&text, Field::Ca);
    }

    /// Whatever a character is replaced by, no certificate disappears in silence.
    #[test]
    fn damage_never_makes_a_certificate_disappear(at in any::<prop::sample::Index>(), by in "[ -~]") {
        let mut text: Vec<char> = format!("{}{}", ONE.trim(), TWO.trim()).chars().collect();
        let at = at.index(text.len());
        text[at] = by.chars().next().unwrap();
        let text: String = text.into_iter().collect();
        if let Ok(found) = certificates(&text, Field::Ca) {
            prop_assert_eq!(found.len(), 2, "{}", text);
        }
    }
}
