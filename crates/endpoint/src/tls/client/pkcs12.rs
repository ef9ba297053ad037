//! PKCS#12 files (RFC 7292), as far as they carry a client's identity: certificates and private keys, encrypted with a
//! password. Names, certificate revocation lists, secrets and what else they may hold is skipped.

use super::decrypt::{self, Costs, Failure, Password};
use hmac::{Hmac, Mac as _};
use pkcs5::AlgorithmIdentifierRef;
use pkcs5::der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier, OctetString, OctetStringRef};
use pkcs5::der::{self, Decode as _, Reader as _, SliceReader, TagNumber};
use pkcs12::cert_type::CertBag;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::mac_data::MacData;
use pkcs12::pfx::Pfx;
use rustls_pki_types::PrivateKeyDer;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

/// Kinds of content (RFC 5652).
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");

/// Hashes of the message authentication code.
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// What a file holds.
#[derive(Default)]
pub(super) struct Contents {
    /// DER.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
}

/// Reads a file.
pub(super) fn read(file: &[u8], password: Option<&str>, costs: &mut Costs) -> Result<Contents, Failure> {
    let pfx = Pfx::from_der(file).map_err(unreadable)?;
    if pfx.auth_safe.content_type != DATA {
        // Signed instead of authenticated with the password: nobody does.
        return Err(Failure::Unsupported { algorithm: pfx.auth_safe.content_type.to_string() });
    }
    let safe: OctetString = pfx.auth_safe.content.decode_as().map_err(unreadable)?;
    let password = fitting(pfx.mac_data.as_ref(), safe.as_bytes(), password, costs)?;
    let mut contents = Contents::default();
    for part in <Vec<AnyRef<'_>>>::from_der(safe.as_bytes()).map_err(unreadable)? {
        contents.read_part(part, &password, costs)?;
    }
    Ok(contents)
}

fn unreadable(_: der::Error) -> Failure {
    Failure::Unreadable
}

/// The password, checked against the file's authentication code, if it has one. Files without a password are made with an
/// empty one by some tools, and with none at all by others.
fn fitting(
    mac: Option<&MacData>,
    safe: &[u8],
    password: Option<&str>,
    costs: &mut Costs,
) -> Result<Password, Failure> {
    let candidates = match password {
        Some(password) if !password.is_empty() => vec![Password::new(password)],
        _ => vec![Password::new(""), Password::absent()],
    };
    let Some(mac) = mac else {
        return candidates.into_iter().next().ok_or(Failure::Password);
    };
    for candidate in candidates {
        if is_authentic(mac, safe, &candidate, costs)? {
            return Ok(candidate);
        }
    }
    Err(Failure::Password)
}

fn is_authentic(mac: &MacData, safe: &[u8], password: &Password, costs: &mut Costs) -> Result<bool, Failure> {
    macro_rules! fits {
        ($hash:ty, $bytes:literal) => {{
            costs.spend(u64::try_from(mac.iterations).unwrap_or(0))?;
            let salt = mac.mac_salt.as_bytes();
            let key = derive_key::<$hash>(password.utf16(), salt, Pkcs12KeyType::Mac, mac.iterations, $bytes);
            let mut code = Hmac::<$hash>::new_from_slice(&key).map_err(|_| Failure::Unreadable)?;
            code.update(safe);
            Ok(code.verify_slice(mac.mac.digest.as_bytes()).is_ok())
        }};
    }
    match mac.mac.algorithm.oid {
        SHA_1 => fits!(Sha1, 20),
        SHA_256 => fits!(Sha256, 32),
        SHA_384 => fits!(Sha384, 48),
        SHA_512 => fits!(Sha512, 64),
        other => Err(Failure::Unsupported { algorithm: other.to_string() }),
    }
}

impl Contents {
    /// A part: a list of bags, in the clear or encrypted as a whole.
    fn read_part(&mut self, part: AnyRef<'_>, password: &Password, costs: &mut Costs) -> Result<(), Failure> {
        let (kind, content) = part
            .sequence(|reader| Ok((ObjectIdentifier::decode(reader)?, explicit(reader)?)))
            .map_err(unreadable)?;
        match kind {
            DATA => {
                let bags = OctetStringRef::from_der(content).map_err(unreadable)?;
                self.read_bags(bags.as_bytes(), password, costs)
            }
            ENCRYPTED_DATA => {
                let (algorithm, data) = encrypted(content).map_err(unreadable)?;
                let bags = decrypt::decrypt(algorithm, data.as_bytes(), password, costs)?;
                self.read_bags(&bags, password, costs)
            }
            other => Err(Failure::Unsupported { algorithm: other.to_string() }),
        }
    }

    /// Bags are read by hand, because their attributes are not needed, and the library sorts those in quadratic time.
    fn read_bags(&mut self, der: &[u8], password: &Password, costs: &mut Costs) -> Result<(), Failure> {
        for bag in <Vec<AnyRef<'_>>>::from_der(der).map_err(unreadable)? {
            let (kind, value) = bag
                .sequence(|reader| {
                    let bag = (ObjectIdentifier::decode(reader)?, explicit(reader)?);
                    reader.read_slice(reader.remaining_len())?;
                    Ok(bag)
                })
                .map_err(unreadable)?;
            match kind {
                pkcs12::PKCS_12_KEY_BAG_OID => {
                    self.keys.push(PrivateKeyDer::Pkcs8(value.to_vec().into()));
                }
                pkcs12::PKCS_12_PKCS8_KEY_BAG_OID => {
                    self.keys.push(decrypt::shrouded_key(value, password, costs)?);
                }
                pkcs12::PKCS_12_CERT_BAG_OID => {
                    let bag = CertBag::from_der(value).map_err(unreadable)?;
                    if bag.cert_id == pkcs12::PKCS_12_X509_CERT_OID {
                        self.certificates.push(bag.cert_value.into_bytes());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The DER inside a `[0] EXPLICIT`.
fn explicit<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    let outer = AnyRef::decode(reader)?;
    let expected = der::Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };
    der::Tagged::tag(&outer).assert_eq(expected)?;
    Ok(outer.value())
}

/// `EncryptedData` (RFC 5652, section 8): the algorithm and the encrypted bytes.
fn encrypted(der: &[u8]) -> der::Result<(AlgorithmIdentifierRef<'_>, OctetString)> {
    AnyRef::from_der(der)?.sequence(|reader| {
        AnyRef::decode(reader)?; // version
        let content = AnyRef::decode(reader)?;
        reader.read_slice(reader.remaining_len())?; // attributes
        content.sequence(|reader| {
            ObjectIdentifier::decode(reader)?; // kind of the content
            let algorithm = AlgorithmIdentifierRef::decode(reader)?;
            let data = ContextSpecific::<OctetString>::decode_implicit(reader, TagNumber::N0)?;
            Ok((algorithm, data.map_or(OctetString::new([])?, |data| data.value)))
        })
    })
}
