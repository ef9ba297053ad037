use super::*;
use crate::tls::TlsIdentity;
use crate::tls::bounds::ITERATIONS_MAX;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

/// A file that `tests/identities/make` made.
macro_rules! identity {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/identities/", $name))
    };
}

const PASSWORD: &str = "s3cret-Pässword";
const KEY: &str = identity!("key.pem");
const CLIENT: &str = identity!("client.pem");
const BELOW: &str = identity!("below.pem");
const ROOT: &str = identity!("root.pem");

fn chain() -> String {
    format!("{CLIENT}{BELOW}{ROOT}")
}

fn subjects(identity: &ClientIdentity) -> Vec<&str> {
    identity.chain.iter().map(|facts| facts.subject.as_str()).collect()
}

/// What is kept is the same, however it was given, and can be used.
fn assert_is_the_identity(identity: &ClientIdentity) {
    assert_eq!(subjects(identity), ["CN=Test Client", "CN=Test Intermediate", "CN=Test Root"]);
    assert_eq!(identity.chain_pem, chain());
    assert_eq!(*identity.key_pem, KEY);
    assert_eq!(identity.left_out, 0);
    let usable = TlsIdentity {
        client_cert_pem: identity.chain_pem.clone(),
        client_key_pem: Some(identity.key_pem.clone()),
        ..TlsIdentity::default()
    };
    assert_eq!(usable.check(), Ok(()));
    let shown = format!("{identity:?}");
    assert!(!shown.contains("BEGIN"), "{shown}");
}

fn words(cert: &str, key: Option<&str>, password: Option<&str>) -> String {
    let error = client_identity(cert, key, password).unwrap_err().to_string();
    assert!(!error.contains("s3cret") && !error.contains("MIG"), "{error}");
    error
}

#[test]
fn a_pem_chain_with_its_key_is_kept_as_it_is() {
    assert_is_the_identity(&client_identity(&chain(), Some(KEY), None).unwrap());
    let spaced = format!("Bag Attributes\n  friendlyName: client\n{}", chain().replace('\n', "\r\n"));
    assert_is_the_identity(&client_identity(&spaced, Some(KEY), None).unwrap());
}

#[test]
fn a_password_that_nothing_needs_does_no_harm() {
    assert_is_the_identity(&client_identity(&chain(), Some(KEY), Some(PASSWORD)).unwrap());
}

#[test]
fn a_key_may_stand_among_its_certificates_if_none_is_given_beside() {
    assert_is_the_identity(&client_identity(&format!("{KEY}{}", chain()), None, None).unwrap());
    assert_is_the_identity(&client_identity(&format!("{}{KEY}", chain()), Some(" \n"), None).unwrap());
    let encrypted = format!("{}{}", identity!("pkcs8-aes256-sha256.pem"), chain());
    assert_is_the_identity(&client_identity(&encrypted, None, Some(PASSWORD)).unwrap());
    let words = words(&format!("{KEY}{}", chain()), Some(KEY), None);
    assert!(words.starts_with("client_cert contains a private key"), "{words}");
}

#[test]
fn a_chain_in_another_order_is_put_in_order_and_what_does_not_belong_is_left_out() {
    for order in [[ROOT, BELOW, CLIENT], [BELOW, CLIENT, ROOT], [CLIENT, ROOT, BELOW]] {
        assert_is_the_identity(&client_identity(&order.concat(), Some(KEY), None).unwrap());
    }
    let params = CertificateParams::new(vec!["b.example".to_owned()]).unwrap();
    let strange = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let identity =
        client_identity(&[&strange, ROOT, CLIENT, BELOW, CLIENT].concat(), Some(KEY), None).unwrap();
    assert_eq!(identity.chain_pem, chain());
    assert_eq!(identity.left_out, 2);
    let now_s = identity.chain[0].not_before;
    let warnings = identity.warnings(now_s);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("2 certificate(s) that did not issue the others"), "{warnings:?}");
    let broken = client_identity(&[CLIENT, ROOT].concat(), Some(KEY), None).unwrap();
    assert_eq!(subjects(&broken), ["CN=Test Client"], "without the one between, the root leads nowhere");
}

#[test]
fn an_encrypted_key_is_decrypted_with_its_password() {
    for encrypted in [
        identity!("pkcs8-aes128-sha1.pem"),
        identity!("pkcs8-aes192-sha512.pem"),
        identity!("pkcs8-aes256-sha256.pem"),
        identity!("pkcs8-des3.pem"),
        identity!("pkcs8-scrypt.pem"),
        identity!("pkcs8-v1-des3.pem"),
    ] {
        assert_is_the_identity(&client_identity(&chain(), Some(encrypted), Some(PASSWORD)).unwrap());
        for wrong in ["s3cret-Passwort", "", "s3cret-Pässword "] {
            let words = words(&chain(), Some(encrypted), Some(wrong));
            assert_eq!(words, "client_key_password is wrong for client_key");
        }
        let words = words(&chain(), Some(encrypted), None);
        assert_eq!(words, "client_key is encrypted; give client_key_password too");
    }
}

#[test]
fn a_pkcs12_file_is_read_in_the_encryptions_of_new_and_old_tools() {
    for given in [
        identity!("modern.p12.txt"),
        identity!("legacy.p12.txt"),
        identity!("legacy-rc2-128.p12.txt"),
        identity!("no-mac.p12.txt"),
        identity!("keys-alone-encrypted.p12.txt"),
        identity!("mac-sha512.p12.txt"),
    ] {
        let one_line: String = given.split_whitespace().collect();
        for given in [given, &one_line, one_line.trim_end_matches('=')] {
            assert_is_the_identity(&client_identity(given, None, Some(PASSWORD)).unwrap());
        }
        assert_eq!(words(given, None, Some("wrong")), "client_key_password is wrong for client_cert");
        assert_eq!(words(given, None, None), "client_cert is encrypted; give client_key_password too");
    }
}

#[test]
fn a_pkcs12_file_without_a_password_needs_none() {
    for given in [identity!("empty-password.p12.txt"), identity!("plain.p12.txt")] {
        for password in [None, Some("")] {
            assert_is_the_identity(&client_identity(given, None, password).unwrap());
        }
    }
    assert_is_the_identity(&client_identity(identity!("plain.p12.txt"), None, Some("not needed")).unwrap());
    let words = words(identity!("empty-password.p12.txt"), None, Some("wrong"));
    assert_eq!(words, "client_key_password is wrong for client_cert");
}

#[test]
fn a_pkcs12_file_with_certificates_alone_takes_the_key_that_is_given_beside() {
    let certificates = identity!("no-key.p12.txt");
    let identity = client_identity(certificates, Some(KEY), Some(PASSWORD)).unwrap();
    assert_eq!(subjects(&identity), ["CN=Test Client"]);
    let words = words(certificates, None, Some(PASSWORD));
    assert!(words.starts_with("client_cert is a PKCS#12 file that holds no private key"), "{words}");
}

#[test]
fn keys_of_other_kinds_are_kept_in_their_own_encoding() {
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let cert = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let identity = client_identity(&cert.pem(), Some(&key.serialize_pem()), None).unwrap();
        assert_eq!(*identity.key_pem, key.serialize_pem());
    }
    let sec1 = pem::of_key(&PrivateKeyDer::Sec1(vec![1; 100].into()));
    assert!(sec1.starts_with("-----BEGIN EC PRIVATE KEY-----\n"), "{}", *sec1);
}

#[test]
fn what_is_wrong_is_said_in_words_without_the_secrets() {
    let (chain, other) = (chain(), KeyPair::generate().unwrap().serialize_pem());
    let long = "a".repeat(pem::PEM_BYTES_MAX + 1);
    for (cert, key, password, expected) in [
        (
            chain.as_str(),
            Some(other.as_str()),
            None,
            "client_key does not belong to any of the 3 certificates",
        ),
        (CLIENT, Some(&other), None, "client_key does not belong to the certificate in client_cert"),
        (&chain, None, None, "client_cert is set, but client_key is not"),
        ("", Some(KEY), None, "client_key is set, but client_cert is not"),
        (&chain, Some("s3cret"), None, "client_key contains no private key that can be used"),
        (&chain, Some(CLIENT), None, "client_key contains no private key that can be used"),
        (&chain, Some(&format!("{KEY}{other}")), None, "client_cert and client_key hold 2 private keys"),
        (
            identity!("modern.p12.txt"),
            Some(KEY),
            Some(PASSWORD),
            "client_cert and client_key hold 2 private keys",
        ),
        (
            identity!("no-certificate.p12.txt"),
            None,
            Some(PASSWORD),
            "a PKCS#12 file that holds no certificate",
        ),
        (identity!("rc4.p12.txt"), None, Some(PASSWORD), "does not read (1.2.840.113549.1.12.1.1)"),
        (
            &chain,
            Some(identity!("pkcs8-camellia.pem")),
            Some(PASSWORD),
            "does not read (1.2.392.200011.61.1.1.1.4)",
        ),
        (&chain, Some(identity!("traditional.pem")), Some(PASSWORD), "old PEM form (Proc-Type: 4,ENCRYPTED)"),
        (&chain, Some(identity!("pkcs8-costly.pem")), Some(PASSWORD), "takes more than 2000000 iterations"),
        (identity!("costly.p12.txt"), None, Some(PASSWORD), "takes more than 2000000 iterations"),
        (&chain, Some(KEY), Some(&"x".repeat(PASSWORD_BYTES_MAX + 1)), "longer than 1024 bytes"),
        (&long, Some(KEY), None, "client_cert is longer than 524288 bytes"),
        (&chain, Some(&long), None, "client_key is longer than 524288 bytes"),
        ("s3cret", None, None, "client_cert is neither PEM text"),
        ("AAAA", None, None, "client_cert is neither PEM text"),
        ("MIIBAAAA", None, None, "client_cert is neither PEM text"),
        (&chain[..900], Some(KEY), None, "block 2 of client_cert has no END line"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            Some(KEY),
            None,
            "block 1 of client_cert is damaged",
        ),
    ] {
        let words = words(cert, key, password);
        assert!(words.contains(expected), "{words}\nexpected: {expected}");
    }
}

#[test]
fn a_certificate_that_is_not_valid_now_is_a_warning_and_no_refusal() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let cert = params.self_signed(&key).unwrap().pem();
    let identity = client_identity(&cert, Some(&key.serialize_pem()), None).unwrap();
    let facts = &identity.chain[0];
    assert_eq!(identity.warnings(facts.not_before + 1), Vec::<String>::new());
    assert!(identity.warnings(facts.not_after + 1)[0].contains("expired on 2021-01-01"));
    assert!(identity.warnings(facts.not_before - 1)[0].contains("is not valid before 2020-01-01"));
}

#[test]
fn scrypt_is_bounded_in_memory_and_work() {
    let allowed = |cost_parameter: u64, block_size: u16, parallelization: u16| {
        let params = pkcs5::pbes2::ScryptParams {
            salt: b"salt",
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        };
        Costs::default().spend_of(&params.into()).is_ok()
    };
    assert!(allowed(16_384, 8, 1), "what OpenSSL takes");
    assert!(allowed(65_536, 8, 1), "64 MiB");
    assert!(!allowed(131_072, 8, 1), "128 MiB");
    assert!(!allowed(65_536, 8, 4), "too long");
    assert!(!allowed(u64::MAX, u16::MAX, u16::MAX));
    for no_power_of_two in [0, 1, 3, u64::MAX] {
        assert!(!allowed(no_power_of_two, 8, 1), "{no_power_of_two}");
    }
}

#[test]
fn what_one_identity_costs_is_counted_together() {
    let mut costs = Costs::default();
    assert_eq!(costs.spend(ITERATIONS_MAX / 2), Ok(()));
    assert_eq!(costs.spend(ITERATIONS_MAX / 2), Ok(()));
    assert_eq!(costs.spend(1), Err(Failure::TooCostly));
}

const DAMAGED_FILES: [&str; 3] =
    [identity!("legacy.p12.txt"), identity!("no-mac.p12.txt"), identity!("plain.p12.txt")];
const DAMAGED_KEYS: [&str; 3] =
    [identity!("pkcs8-des3.pem"), identity!("pkcs8-aes128-sha1.pem"), identity!("pkcs8-scrypt.pem")];

/// The same bytes, with one of them changed, or all after some point gone.
fn damaged(der: &[u8], at: prop::sample::Index, byte: u8, cut: bool) -> Vec<u8> {
    let mut der = der.to_vec();
    let at = at.index(der.len());
    der[at] = byte;
    if cut {
        der.truncate(at);
    }
    der
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_read_or_refused_but_never_break(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        for given in DAMAGED_FILES {
            let der = BASE64.decode(given.split_ascii_whitespace().collect::<String>()).unwrap();
            let _ = client_identity(&BASE64.encode(damaged(&der, at, byte, cut)), None, Some(PASSWORD));
        }
        for key in DAMAGED_KEYS {
            let der = pem::contents(key, Field::ClientKey).unwrap().encrypted.remove(0);
            let text = format!(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----\n",
                BASE64.encode(damaged(&der, at, byte, cut))
            );
            let _ = client_identity(CLIENT, Some(&text), Some(PASSWORD));
        }
    }

    #[test]
    fn arbitrary_text_is_refused_in_words(cert in ".{0,200}", key in proptest::option::of(".{0,200}")) {
        let _ = client_identity(&cert, key.as_deref(), Some(PASSWORD));
    }
}
